"""Subscribes with paho-mqtt in MQTT 5 and prints what it decodes: one JSON object a line, readings counted once.

    mqtt_decode.py PORT SHAPE

Knows each named shape from its receiver's point of view. A reading is told from its doubles by what the shape has for
it: the user properties stream and seq with its place in the message.
"""

import json
import sys

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

port, shape = int(sys.argv[1]), sys.argv[2]


def quality(fields, name):
    return fields.get(name + ".quality", "Good")


def flat(fields):
    """Names, values and qualities of one object that says them beside each other."""
    names = []
    for key in fields:
        name = key.removesuffix(".quality")
        if name not in names and name not in ("ts", "seq", "clock"):
            names.append(name)
    return [(name, fields.get(name), quality(fields, name)) for name in names]


def readings(body):
    """(name, value, quality, seconds) of every reading in a message."""
    if shape == "lineside":
        return [(r["n"], r["v"], r.get("q", "Good"), r.get("t", body["t"]) / 1e3) for r in body["readings"]]
    if shape == "telegraf":
        return [r + (m["timestamp"],) for m in body.get("metrics", [body]) for r in flat(m["fields"])]
    if shape == "thingsboard":
        return [r + (f["ts"] / 1e3,) for frames in body.values() for f in frames for r in flat(f["values"])]
    if shape == "edgex":
        parse = {"Float64": float, "Int64": int, "Bool": lambda text: {"true": True, "false": False}[text], "String": str}
        return [
            (r["resourceName"], None if r["value"] is None else parse[r["valueType"]](r["value"]),
             r.get("tags", {}).get("quality", "Good"), r["origin"] / 1e9)
            for r in body["event"]["readings"]
        ]
    if shape == "azure":
        return [(n, r["Value"], r.get("StatusCode", {}).get("Symbol", "Good"), date(r["SourceTimestamp"])) for n, r in body.items()]
    if shape == "opcua-pubsub":
        said = []
        for message in body["Messages"]:
            for name, value in message["Payload"].items():
                parsed = value.get("Value")
                if value.get("UaType") == 8:
                    parsed = int(parsed)
                said.append((name, parsed, value.get("Status", {}).get("Symbol", "Good"), date(value["SourceTimestamp"])))
        return said
    if shape == "homeassistant":
        return [("value", body["value"], body["quality"], date(body["timestamp"]))]
    return [r + (body["ts"] / 1e3,) for r in flat(body)]


def date(text):
    import datetime

    head, _, fraction = text.removesuffix("Z").partition(".")
    whole = datetime.datetime.fromisoformat(head + "+00:00").timestamp()
    return whole + float("0." + (fraction or "0"))


def on_message(client, _, message):
    user = dict(getattr(message.properties, "UserProperty", []))
    line = {
        "topic": message.topic, "retain": bool(message.retain), "user": user,
        "expiry": getattr(message.properties, "MessageExpiryInterval", None),
        "type": getattr(message.properties, "ContentType", None),
    }
    try:
        body = json.loads(message.payload)
        if "count" in user:
            line["readings"] = readings(body)
        else:
            line["body"] = body
    except Exception as problem:  # whatever it is, the test must see it
        line["problem"] = f"{type(problem).__name__}: {problem}: {message.payload!r}"
    print(json.dumps(line), flush=True)


def on_connect(client, userdata, flags, code, properties):
    client.subscribe("#", qos=1)


def on_subscribe(client, userdata, mid, codes, properties):
    print(json.dumps({"subscribed": True}), flush=True)


client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=f"decoder-{port}", protocol=mqtt.MQTTv5)
client.on_connect, client.on_subscribe, client.on_message = on_connect, on_subscribe, on_message
connect = Properties(PacketTypes.CONNECT)
connect.SessionExpiryInterval = 600
client.connect("127.0.0.1", port, properties=connect)
client.loop_forever()
