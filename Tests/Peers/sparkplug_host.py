"""A Sparkplug host of another hand: python sparkplug_host.py PORT GROUP NODE

Prints one line of JSON for each metric of the devices' births and data. Publishes a command for what comes to the topic
test/command as JSON: device, name, datatype, and the payload's field with its value.
"""

import json
import sys

import paho.mqtt.client as mqtt
from pysparkplug import DBirth, DData
from pysparkplug._protobuf import Payload

port, group, node = int(sys.argv[1]), sys.argv[2], sys.argv[3]
births = {}


def say(line):
    print(json.dumps(line), flush=True)


def command(client, wish):
    payload = Payload()
    payload.timestamp = 1
    metric = payload.metrics.add()
    metric.name, metric.datatype = wish["name"], wish["datatype"]
    setattr(metric, wish["field"], wish["value"])
    client.publish(f"spBv1.0/{group}/DCMD/{node}/{wish['device']}", payload.SerializeToString(), qos=1)


def on_message(client, _, message):
    if message.topic == "test/command":
        return command(client, json.loads(message.payload))
    levels = message.topic.split("/")
    kind = {"DBIRTH": DBirth, "DDATA": DData}.get(levels[2])
    if kind is None:
        return say({"verb": levels[2]})
    device = levels[4]
    read = kind.decode(message.payload, birth=births.get(device))
    if levels[2] == "DBIRTH":
        births[device] = read
    for metric in read.metrics:
        say({"verb": levels[2], "device": device, "name": metric.name, "value": metric.value,
             "history": bool(metric.is_historical), "time": metric.timestamp})


client = mqtt.Client()
client.on_connect = lambda c, *_: c.subscribe([("spBv1.0/#", 1), ("test/command", 1)])
client.on_subscribe = lambda *_: say({"verb": "ready"})
client.on_message = on_message
client.connect("127.0.0.1", port)
client.loop_forever()
