//! What this process may do, and what hems it in.

use super::finding::Finding;
use super::host::Host;

/// What the kernel says of this process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rights {
    /// The effective user, if it is known.
    pub user: Option<u32>,
    /// The effective capabilities, a bit each, if they are known.
    capabilities: Option<u64>,
    no_new_privileges: bool,
    in_user_namespace: bool,
    container: Option<&'static str>,
}

/// A capability of Linux, by its number in linux/capability.h.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capability {
    /// Look into all folders.
    DacReadSearch = 2,
    /// Set up interfaces.
    NetAdmin = 12,
    /// Open packet sockets.
    NetRaw = 13,
    /// Look at what other processes have open.
    SysPtrace = 19,
    /// Nearly everything.
    SysAdmin = 21,
    /// Load BPF programs.
    Bpf = 39,
}

impl Rights {
    /// Reads them from `/proc`.
    pub fn of(host: &Host) -> Self {
        let status = host.read("/proc/self/status").unwrap_or_default();
        let field = |name: &str| {
            let mut lines = status.lines().filter_map(|line| line.split_once(':'));
            lines.find(|(key, _)| *key == name).map(|(_, value)| value.trim())
        };
        let map = host.read("/proc/self/uid_map");
        let is_whole = |map: String| {
            let numbers: Vec<&str> = map.split_ascii_whitespace().collect();
            numbers == ["0", "0", "4294967295"]
        };
        Self {
            // Real, effective, saved, of the file system.
            user: field("Uid").and_then(|ids| ids.split_ascii_whitespace().nth(1)?.parse().ok()),
            capabilities: field("CapEff").and_then(|hex| u64::from_str_radix(hex, 16).ok()),
            no_new_privileges: field("NoNewPrivs") == Some("1"),
            in_user_namespace: map.is_some_and(|map| !is_whole(map)),
            container: container(host),
        }
    }

    /// Whether the process has a capability; none if that is not known.
    pub fn has(&self, capability: Capability) -> Option<bool> {
        self.capabilities.map(|bits| bits >> (capability as u32) & 1 != 0)
    }

    /// What all this means for live capture.
    pub fn findings(&self, host: &Host) -> Vec<Finding> {
        let mut findings = vec![self.packets()];
        findings.extend(self.surroundings());
        findings.push(self.processes(host));
        findings
    }

    /// What to do to get the right to open packet sockets.
    pub fn remedy(&self) -> &'static str {
        match (self.container, self.no_new_privileges) {
            (Some("Kubernetes"), _) => {
                "add NET_RAW to the container's securityContext.capabilities, and hostNetwork: true \
                 to the pod to see its node"
            }
            (Some(_), _) => "start the container with --cap-add NET_RAW (and --network host)",
            (None, true) => {
                "neither sudo nor setcap can help, as NoNewPrivs is set here: start it elsewhere, \
                 or as a service with AmbientCapabilities=CAP_NET_RAW"
            }
            (None, false) => {
                "start it with sudo, or once: sudo setcap cap_net_raw=ep $(command -v wirespan)"
            }
        }
    }

    fn packets(&self) -> Finding {
        let user = self.user.map_or_else(|| "this user".to_owned(), |user| format!("user {user}"));
        match self.has(Capability::NetRaw) {
            Some(true) if self.user == Some(0) => Finding::ok(
                "rights",
                "root with CAP_NET_RAW; all but what is needed is given up once capture has begun",
            ),
            Some(true) => {
                Finding::ok("rights", format!("{user} with CAP_NET_RAW, which is enough"))
            }
            Some(false) => {
                Finding::blocks("rights", format!("{user} lacks CAP_NET_RAW, so no packets come"))
                    .remedy(self.remedy())
            }
            None => {
                Finding::warning("rights", format!("{user}; /proc does not tell of what it may do"))
            }
        }
    }

    fn surroundings(&self) -> Option<Finding> {
        let text = match (self.container, self.in_user_namespace) {
            (None, false) => return None,
            (None, true) => "a user namespace".to_owned(),
            (Some(container), false) => format!("a container of {container}"),
            (Some(container), true) => format!("a container of {container}, in a user namespace"),
        };
        let text = format!("in {text}: only what belongs to it is seen");
        let remedy = if self.container == Some("Kubernetes") {
            "for the whole node: hostNetwork: true and hostPID: true"
        } else {
            "for the whole host: start it outside, or with --network host --pid host"
        };
        Some(Finding::warning("container", text).remedy(remedy))
    }

    fn processes(&self, host: &Host) -> Finding {
        const CHECK: &str = "processes";
        if !host.has("/proc/self/fd") {
            return Finding::cannot(CHECK, "there is no /proc, so no process is named")
                .remedy("mount -t proc proc /proc");
        }
        let mounts = host.read("/proc/self/mounts").unwrap_or_default();
        let hidden = mounts.lines().find_map(|line| {
            let fields: Vec<&str> = line.split_ascii_whitespace().collect();
            let [_, "/proc", "proc", options, ..] = fields.as_slice() else { return None };
            let hidden = options.split(',').find_map(|option| option.strip_prefix("hidepid="))?;
            (!["0", "off"].contains(&hidden)).then(|| hidden.to_owned())
        });
        // In a user namespace they hold for what is in it.
        let may = |c| self.has(c) == Some(true) && !self.in_user_namespace;
        let sees_all =
            may(Capability::SysPtrace) && (self.user == Some(0) || may(Capability::DacReadSearch));
        match (hidden, sees_all) {
            (_, true) => Finding::ok(CHECK, "which process owns a socket can be told"),
            (None, false) => Finding::warning(CHECK, "only processes of this user are named")
                .remedy("with CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH, or as root, all are"),
            (Some(how), false) => Finding::warning(
                CHECK,
                format!(
                    "/proc is mounted with hidepid={how}: only processes of this user are named"
                ),
            )
            .remedy("start it as root, or with CAP_SYS_PTRACE in the group of /proc's gid= option"),
        }
    }
}

/// What runs the container that this is, if it is one.
fn container(host: &Host) -> Option<&'static str> {
    let groups = host.read("/proc/self/cgroup").unwrap_or_default();
    if host.has("/var/run/secrets/kubernetes.io") || groups.contains("kubepods") {
        return Some("Kubernetes");
    }
    // An image of a machine may have been made from one of a container; that machine has threads of
    // the kernel, as the host of a container has.
    let is_machine = host.read("/proc/2/comm").as_deref() == Some("kthreadd");
    if (host.has("/.dockerenv") && !is_machine) || groups.contains("/docker") {
        return Some("Docker");
    }
    if host.has("/run/.containerenv") || groups.contains("libpod") {
        return Some("Podman");
    }
    if groups.contains("/lxc") {
        return Some("LXC");
    }
    let named = host.read("/run/systemd/container").filter(|name| !name.is_empty());
    named.map(|_| "systemd")
}
