"""Configurations of Envoy and HAProxy: the ingress gateway, and sidecars for what comes in and goes out."""

# What a sidecar listens at for HTTP that comes in, for HTTP that goes out, and for MySQL either way.
INBOUND, OUTBOUND, MYSQL = 15006, 15001, 15306
# What sidecars run as: what this group sends is not redirected to them.
GROUP = 1337
TYPE = "type.googleapis.com/envoy.extensions.filters"


def redirect(served):
    """Rules of nftables that hand a pod's connections to its sidecar, as meshes do: those to the port `served`
    that come in, and those that its application makes."""
    inbound = MYSQL if served == 3306 else INBOUND
    return f"""table ip sidecar {{
  chain inbound {{
    type nat hook prerouting priority -100
    iifname eth0 tcp dport {served} redirect to :{inbound}
  }}
  chain outbound {{
    type nat hook output priority -100
    oifname eth0 tcp dport 9080 meta skgid != {GROUP} redirect to :{OUTBOUND}
    oifname eth0 tcp dport 3306 meta skgid != {GROUP} redirect to :{MYSQL}
  }}
}}
"""


def route(clusters, timeout="5s", retries=0):
    """A route to one of the clusters by their weights."""
    weighted = [{"name": name, "weight": weight} for name, weight in clusters.items()]
    action = {"weighted_clusters": {"clusters": weighted}, "timeout": timeout}
    if retries:
        action["retry_policy"] = {"retry_on": "5xx", "num_retries": retries}
    return {"match": {"prefix": "/"}, "route": action}


def http(name, its_route, request_ids):
    """A filter for HTTP with one route; with `request_ids`, a request that has no X-Request-ID gets one."""
    return {"name": "http", "typed_config": {
        "@type": f"{TYPE}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": name, "codec_type": "HTTP1", "generate_request_id": request_ids,
        "route_config": {"virtual_hosts": [{"name": name, "domains": ["*"], "routes": [its_route]}]},
        "http_filters": [{"name": "router", "typed_config": {"@type": f"{TYPE}.http.router.v3.Router"}}]}}


def listener(name, address, port, chains, **more):
    return {"name": name, "address": socket(address, port), "filter_chains": chains, **more}


def socket(address, port):
    return {"socket_address": {"address": address, "port_value": port}}


def cluster(name, address, port):
    endpoint = {"endpoint": {"address": socket(address, port)}}
    return {"name": name, "type": "STATIC", "connect_timeout": "1s",
            "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]}}


def envoy(listeners, clusters):
    return {"static_resources": {"listeners": listeners, "clusters": clusters}}


def envoy_gateway(address, port, pod, request_ids):
    """Envoy as the ingress gateway: all goes to one pod."""
    chain = {"filters": [http("ingress", route({"pod": 1}, "10s"), request_ids)]}
    return envoy([listener("ingress", address, port, [chain])], [cluster("pod", pod, 9080)])


def envoy_sidecar(services, pods, request_ids):
    """Envoy as a sidecar. `services` are the routes for virtual addresses, `pods` the addresses of all pods.

    Where a connection was made to before it was redirected decides about its route.
    """
    inbound = {"filters": [http("inbound", route({"application": 1}, "15s"), request_ids)]}
    outbound = [{"filter_chain_match": {"prefix_ranges": [{"address_prefix": address, "prefix_len": 32}]},
                 "filters": [http("outbound", its_route, request_ids)]} for address, its_route in services.items()]
    original = {"name": "original", "typed_config": {"@type": f"{TYPE}.listener.original_dst.v3.OriginalDst"}}
    listeners = [listener("inbound", "0.0.0.0", INBOUND, [inbound])]
    if outbound:
        listeners.append(listener("outbound", "0.0.0.0", OUTBOUND, outbound, listener_filters=[original]))
    called = {one["name"] for its_route in services.values()
              for one in its_route["route"]["weighted_clusters"]["clusters"]}
    clusters = [cluster(name, pods[name], 9080) for name in sorted(called)]
    return envoy(listeners, [cluster("application", "127.0.0.1", 9080), *clusters])


def haproxy_sidecar(served, database, request_ids):
    """HAProxy as a sidecar of what serves HTTP at 9080 and asks a database, or of the database at 3306."""
    if served == 3306:
        return HAPROXY + f"""
listen inbound
  mode tcp
  bind :{MYSQL}
  server application 127.0.0.1:3306
"""
    request_id = "http-request set-header X-Request-ID %[uuid()] unless { req.hdr(X-Request-ID) -m found }"
    return HAPROXY + f"""
listen inbound
  mode http
  bind :{INBOUND}
  {request_id if request_ids else ""}
  server application 127.0.0.1:9080

listen outbound
  mode tcp
  bind :{MYSQL}
  server database {database}:3306
"""


HAPROXY = """global
  nbthread 2
  maxconn 1000

defaults
  timeout connect 1s
  timeout client 60s
  timeout server 60s
  http-reuse always
"""
