//! Who the process is: user, group and other groups, as tcpdump gives them up.

use super::ConfineError;
use nix::unistd::{self, Gid, Group, Uid, User};
use std::ffi::CString;
use std::io;

/// A user that root becomes.
#[derive(Debug)]
pub(super) struct Account {
    name: String,
    uid: Uid,
    gid: Gid,
    groups: Vec<Gid>,
    was_asked_for: bool,
}

impl Account {
    /// The name, or the number in place of one.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Whether `-Z` named it.
    pub(super) fn was_asked_for(&self) -> bool {
        self.was_asked_for
    }

    /// Becomes this user, in all threads. Groups go first: only root may change them.
    pub(super) fn become_it(&self) -> io::Result<()> {
        unistd::setgroups(&self.groups)?;
        unistd::setresgid(self.gid, self.gid, self.gid)?;
        unistd::setresuid(self.uid, self.uid, self.uid)?;
        Ok(())
    }
}

/// Whom to become. Nobody, if the process is not root, or stays it.
pub(super) fn choose(asked: Option<&str>) -> Result<Option<Account>, ConfineError> {
    if !is_root() {
        return Ok(None);
    }
    let number = |name: &str| std::env::var(name).ok()?.parse().ok();
    let caller = Uid::current();
    match asked {
        Some("root" | "0") => Ok(None),
        Some(word) => named(word).map(Some),
        // A program that belongs to root and is set to run as its owner.
        None if !caller.is_root() => Ok(Some(numbered(caller, Gid::current()))),
        None => match (number("SUDO_UID"), number("SUDO_GID")) {
            (Some(uid), Some(gid)) if uid != 0 => {
                Ok(Some(numbered(Uid::from_raw(uid), Gid::from_raw(gid))))
            }
            _ => Ok(Some(nobody())),
        },
    }
}

/// Whether this is root, before or after.
pub(super) fn is_root() -> bool {
    Uid::effective().is_root()
}

/// The name of a user, or the number of one without.
pub(super) fn name(uid: Uid) -> String {
    match User::from_uid(uid) {
        Ok(Some(user)) => user.name,
        _ => uid.to_string(),
    }
}

/// The other groups that the process is in.
pub(super) fn groups() -> Vec<u32> {
    unistd::getgroups().unwrap_or_default().into_iter().map(Gid::as_raw).collect()
}

/// Who is no longer root must not be able to become it again.
pub(super) fn check_that_root_is_gone() -> Result<(), ConfineError> {
    if is_root() || unistd::setuid(Uid::from_raw(0)).is_err() {
        return Ok(());
    }
    Err(ConfineError::NotGone)
}

/// `USER` or `USER:GROUP`, by name or number.
fn named(word: &str) -> Result<Account, ConfineError> {
    let (user_word, group_word) = match word.split_once(':') {
        Some((user, group)) => (user, Some(group)),
        None => (word, None),
    };
    if user_word.is_empty() || group_word.is_some_and(str::is_empty) {
        return Err(ConfineError::EmptyUser(word.to_owned()));
    }
    let found = User::from_name(user_word)
        .map_err(|errno| ConfineError::LookUp(word.to_owned(), errno.into()));
    let account = match (user_word.parse().map(Uid::from_raw), found) {
        (_, Ok(Some(user))) => of_user(&user),
        // A container without a list of users has numbers all the same. The group of one that is
        // in no list is the one that bears its number, as most systems number them.
        (Ok(uid), _) => numbered(uid, Gid::from_raw(uid.as_raw())),
        (Err(_), Ok(None)) => return Err(ConfineError::UnknownUser(user_word.to_owned())),
        (Err(_), Err(failure)) => return Err(failure),
    };
    let account = Account { was_asked_for: true, ..account };
    let Some(group_word) = group_word else { return Ok(account) };
    let gid = match (group_word.parse().map(Gid::from_raw), Group::from_name(group_word)) {
        (_, Ok(Some(group))) => group.gid,
        (Ok(gid), _) => gid,
        _ => return Err(ConfineError::UnknownGroup(group_word.to_owned())),
    };
    // Who names a group wants that one alone.
    Ok(Account { gid, groups: vec![gid], ..account })
}

/// A user by number, with all groups if the system knows it.
fn numbered(uid: Uid, gid: Gid) -> Account {
    match User::from_uid(uid) {
        Ok(Some(user)) => of_user(&user),
        _ => {
            let name = uid.to_string();
            Account { name, uid, gid, groups: vec![gid], was_asked_for: false }
        }
    }
}

fn of_user(user: &User) -> Account {
    let name = CString::new(user.name.as_str()).unwrap_or_default();
    let groups = unistd::getgrouplist(&name, user.gid).unwrap_or_else(|_| vec![user.gid]);
    Account { name: user.name.clone(), uid: user.uid, gid: user.gid, groups, was_asked_for: false }
}

/// The user that owns nothing, if need be by the number that the kernel gives to it.
fn nobody() -> Account {
    match User::from_name("nobody") {
        Ok(Some(user)) => of_user(&user),
        _ => numbered(Uid::from_raw(OVERFLOW_ID), Gid::from_raw(OVERFLOW_ID)),
    }
}

/// `/proc/sys/kernel/overflowuid`, as it is unless somebody changed it.
const OVERFLOW_ID: u32 = 65534;

#[cfg(test)]
mod tests {
    use super::*;

    fn check(word: &str, expected: Result<(u32, u32), &str>) {
        let found = named(word)
            .map(|account| (account.uid.as_raw(), account.gid.as_raw()))
            .map_err(|failure| failure.to_string());
        match expected {
            Ok(ids) => assert_eq!(found, Ok(ids), "{word}"),
            Err(part) => {
                assert!(found.as_ref().is_err_and(|text| text.contains(part)), "{found:?}")
            }
        }
    }

    #[test]
    fn user_is_named_or_numbered() {
        check("root", Ok((0, 0)));
        check("root:12345", Ok((0, 12345)));
        check("4000000000", Ok((4_000_000_000, 4_000_000_000)));
        check("4000000000:0", Ok((4_000_000_000, 0)));
    }

    #[test]
    fn who_is_not_known_is_said_before_anything_happens() {
        check("no-such-user", Err("become no-such-user, a user that this system does not know"));
        check("root:no-such-group", Err("join no-such-group"));
        check("", Err("become \"\": name a user"));
        check("nobody:", Err("become \"nobody:\": name a user"));
    }

    #[test]
    fn named_group_is_the_only_one() {
        let account = named("root:12345").unwrap();
        assert_eq!(account.groups, [Gid::from_raw(12345)]);
    }
}
