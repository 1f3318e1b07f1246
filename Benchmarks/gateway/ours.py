"""Lineside as a peer of the gateway harness: register to MQTT with journal, history and one rule per device.

The program is $LINESIDE_EXECUTABLE, or .build/release/lineside of this repository.
"""
import os

REPOSITORY = os.environ.get("LINESIDE_REPOSITORY", "/work/main")
PROGRAM = os.environ.get("LINESIDE_EXECUTABLE", REPOSITORY + "/.build/release/lineside")
TOPIC = "bench/#"
SETTLE = 2


def profile(name, tags):
    lines = ["kind: DeviceProfile", "id: bench-" + name, "version: 1.0.0", "addressing: protocol-0",
             "byte_order: ABCD", "limits: { in_flight: %s }" % os.environ.get("IN_FLIGHT", "8"), "groups: { all: PERIOD }", "tags:"]
    for g in tags:
        kind = "f32" if g.typ == "float32" else "u16"
        lines.append('  %s: { at: "hr %d", type: %s, unit: "1", group: all }' % (g.name, g.addr, kind))
    return "\n".join(lines) + "\n"


def start(w, rd, keep=False):
    os.makedirs(rd + "/profiles/bench", exist_ok=True)
    os.makedirs(rd + "/rules", exist_ok=True)
    period = "%dms" % w.period_ms if not w.unlimited else "continuous"
    channels, devices, rules = [], [], []
    for d in w.devices:
        name = "d%03d" % d["dev"]
        with open("%s/profiles/bench/%s.yaml" % (rd, name), "w") as f:
            f.write(profile(name, d["tags"]).replace("PERIOD", period))
        channels.append('  %s: { tcp: { host: "%s", port: %d } }' % (name, d["host"], d["port"]))
        devices.append("  hall/%s: { profile: bench-%s@1, channel: %s, unit: %d }" % (name, name, name, d["unit"]))
        rules.append('  high-%s: { when: "%s > 1e12", hold: 5s }' % (name, d["tags"][0].name))
    with open(rd + "/site.yaml", "w") as f:
        f.write("kind: Site\nid: bench/here\nchannels:\n%s\ndevices:\n%s\n" % ("\n".join(channels), "\n".join(devices)))
        f.write("sinks:\n  bench: { mqtt: { url: \"mqtt://127.0.0.1:15883\", topic: \"bench/{device}\"%s } }\n"
                % os.environ.get("OURS_MQTT", ""))
        f.write("store: { directory: %s/store, disk: 512MiB, keep_free: 0B }\n" % rd)
        f.write("http: { listen: 127.0.0.1:15080 }\n")
    with open(rd + "/rules/bench.yaml", "w") as f:
        f.write("kind: Rules\nfor: \"hall/**\"\nrules:\n%s\n" % "\n".join(rules))
    return [dict(cmd=[PROGRAM, "run", "--config", rd + "/site.yaml"])]
