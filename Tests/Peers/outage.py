#!/usr/bin/env python3
"""A broker that is away at full rate: every reading is accounted for at a subscriber that is not ours.

    outage.py LINESIDE SECONDS [KILLS] [SEED]

50 devices with 100 tags once a second are read (5,000 readings/s) and sent with `live_first`; after 20 s the broker is taken
away for SECONDS. With KILLS the gateway is killed (-9) that often meanwhile and started anew, and the broker once more after its
return. Ends when nothing is left to drain; prints figures, and fails when a number is missing or current data came late.
"""
import json, os, random, signal, socket, subprocess, sys, tempfile, threading, time, urllib.request
import paho.mqtt.client as mqtt

DEVICES, TAGS = 50, 100


given = set()


def free_port():
    """Below the range that the kernel takes ports of outgoing connections from: the broker's stands empty for long."""
    while True:
        port = random.SystemRandom().randrange(20000, 32000)
        with socket.socket() as s:
            try: s.bind(("127.0.0.1", port))
            except OSError: continue
        if port not in given:
            given.add(port)
            return port


class Account:
    """What arrived: numbers of each stream, the order of each tag, how late."""

    def __init__(self, port):
        self.port, self.lock = port, threading.Lock()
        self.seen, self.gaps, self.twice, self.disorder = {}, [], 0, 0
        self.last, self.live, self.older, self.readings = {}, [], 0, 0
        self.drain = []
        self.online = []
        self.client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="account", protocol=mqtt.MQTTv311)
        self.client.on_connect = lambda c, *_: c.subscribe("lineside/#", 1)
        self.client.on_message = self.take
        self.client.max_queued_messages_set(0)
        # Nearer than the gateway's shortest pause: nothing may be taken by a broker to which we don't listen yet.
        self.client.reconnect_delay_set(0.02, 0.02)
        self.client.connect_async("127.0.0.1", port)
        self.client.loop_start()

    def take(self, _, __, message):
        now = time.time()
        said = json.loads(message.payload)
        with self.lock:
            if "state" in said and "readings" not in said and "alarm" not in said:
                if said["state"] == "online": self.online.append(now)
                return
            if "gap" in said:
                self.gaps.append((said["stream"], said["gap"]["first"], said["gap"]["last"]))
                return
            if "readings" not in said: return
            first, numbers = said["seq"], self.seen.setdefault(said["stream"], set())
            historical = said.get("historical", False)
            for index, reading in enumerate(said["readings"]):
                number = first + reading.get("i", index)
                new = number not in numbers
                self.twice += not new
                numbers.add(number)
                key = (said["device"], reading["n"], historical)
                if new:
                    if number < self.last.get(key, -1): self.disorder += 1
                    self.last[key] = number
            self.readings += said["count"]
            if historical:
                self.older += said["count"]
                self.drain.append((now, said["count"]))
            else: self.live.append((now, now - said["t"] / 1000, said["count"]))

    def missing(self):
        """Numbers between the first and the last that arrived in no message and are told in no gap."""
        lost = 0
        for stream, numbers in self.seen.items():
            first, last = min(numbers), max(numbers)
            told = sum(max(0, min(last, high) - max(first, low) + 1) for s, low, high in set(self.gaps) if s == stream)
            lost += last - first + 1 - len(numbers) - told
        return lost


def main():
    program, seconds = os.path.abspath(sys.argv[1]), float(sys.argv[2])
    kills = int(sys.argv[3]) if len(sys.argv) > 3 else 0
    chance = random.Random(int(sys.argv[4]) if len(sys.argv) > 4 else 1)
    folder = tempfile.mkdtemp(prefix="lineside-outage-")
    port, page = free_port(), free_port()
    os.makedirs(folder + "/profiles")
    with open(folder + "/profiles/counter.yaml", "w") as f:
        f.write("kind: DeviceProfile\nid: counter\nversion: 1.0.0\naddressing: protocol-0\ngroups: { all: 1s }\ntags:\n")
        f.writelines('  t%03d: { at: "hr %d", type: u32, unit: "1", group: all }\n' % (n, 2 * n) for n in range(TAGS))
        f.write("simulate:\n")
        f.writelines("  t%03d: { reads: true }\n" % n for n in range(TAGS))
    with open(folder + "/site.yaml", "w") as f:
        f.write("kind: Site\nid: acme/lyon\nchannels:\n")
        f.writelines('  c%02d: { tcp: { host: 127.0.0.1, port: %d } }\n' % (n, free_port()) for n in range(DEVICES))
        f.write("devices:\n")
        f.writelines("  hall/d%02d: { profile: counter@1, channel: c%02d, unit: 1 }\n" % (n, n) for n in range(DEVICES))
        f.write('sinks:\n  plant: { mqtt: { url: "mqtt://127.0.0.1:%d" }, live_first: true, replay: 200000/s }\n' % port)
        f.write("store: { directory: %s/store, disk: 2GiB, keep_free: 0B, commit: 200ms }\n" % folder)
        f.write('http: { listen: "127.0.0.1:%d" }\n' % page)
    with open(folder + "/mosquitto.conf", "w") as f:
        f.write("listener %d 127.0.0.1\nallow_anonymous true\nmax_inflight_messages 0\nmax_queued_messages 0\n" % port)

    running = {}

    def start(name, *command):
        log = open("%s/%s.log" % (folder, name), "a")
        running[name] = subprocess.Popen(command, stdout=log, stderr=log)
        return running[name]

    def stop(name, how=signal.SIGTERM):
        running[name].send_signal(how)
        running[name].wait(30)

    def broker(): start("mosquitto", "mosquitto", "-c", folder + "/mosquitto.conf")
    def gateway(): start("gateway", program, "run", "--config", folder + "/site.yaml")

    def sink():
        try:
            with urllib.request.urlopen("http://127.0.0.1:%d/api/v1/sinks" % page, timeout=5) as answer:
                return json.load(answer)["sinks"][0]
        except (OSError, KeyError, IndexError): return {}

    try:
        broker()
        start("plant", program, "simulate", "--config", folder + "/site.yaml")
        account = Account(port)
        time.sleep(2)
        if running["plant"].poll() is not None: sys.exit("the simulated plant did not start: %s/plant.log" % folder)
        gateway()
        time.sleep(20)
        if account.readings < 10 * DEVICES * TAGS: sys.exit("no data at full rate: %s" % folder)
        stop("mosquitto")
        began = time.time()
        moments = sorted(chance.uniform(0.1, 0.9) * seconds for _ in range(kills))
        for moment in moments:
            time.sleep(max(0, began + moment - time.time()))
            stop("gateway", signal.SIGKILL)
            gateway()
        time.sleep(max(0, began + seconds - time.time()))
        broker()
        returned = time.time()
        time.sleep(0.2)
        if running["mosquitto"].poll() is not None: sys.exit("the broker did not come back: %s" % folder)
        if kills:
            time.sleep(8)
            stop("mosquitto", signal.SIGKILL)
            time.sleep(3)
            broker()
            returned = time.time()
        drained = None
        while time.time() < returned + 60 + seconds:
            time.sleep(0.5)
            state = sink()
            if state.get("older") == 0 and state.get("connected", True) and time.time() > returned + 35:
                drained = time.time()
                break
        time.sleep(3)
        stop("gateway")
        time.sleep(1)
        with account.lock:
            back = min((t for t in account.online if t > returned), default=None)
            first = min((t for t, late, _ in account.live if back and t >= back and late < 1.0), default=None)
            # Current data beside the backlog, once it has come back.
            late = sorted(l for t, l, _ in account.live if first and t >= first)
            older = [(t, n) for t, n in account.drain if t > returned]
            span = older[-1][0] - older[0][0] if len(older) > 1 else None
            figures = {
                "readings": account.readings, "missing": account.missing(), "twice": account.twice,
                "gaps": len(account.gaps), "out_of_order": account.disorder, "historical": account.older,
                "drained_per_second": round(sum(n for _, n in older) / span) if span else None,
                "seconds_until_connected": round(back - returned, 2) if back else None,
                "seconds_until_current_data": round(first - back, 3) if first else None,
                "latest_current_data_s": round(late[-1], 3) if late else None,
                "current_data_p99_s": round(late[int(len(late) * 0.99)], 3) if late else None,
                "streams": len(account.seen), "drained": drained is not None, "last_state": state,
            }
        print(json.dumps(figures, indent=1))
        good = (figures["missing"] == 0 and figures["out_of_order"] == 0 and drained is not None
                and first is not None and first - back <= 1.0
                and (seconds < 30 or (figures["drained_per_second"] or 0) >= 10 * DEVICES * TAGS))
        print("held" if good else "NOT held", folder)
        return 0 if good else 1
    finally:
        for process in running.values():
            if process.poll() is None: process.kill()


if __name__ == "__main__": sys.exit(main())
