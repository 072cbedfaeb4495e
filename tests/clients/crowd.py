"""Members of a room for programs that steer it, made of the stock client library: ada speaks, answers calls and has
attributes; bob listens. Reads one JSON object from standard input: {"url": "ws://…", "key": "API…", "secret": "…",
"room": "…", "who": "ada"}; "who" is left out for both. Prints a JSON line when they are there and, with both, ada is
heard; then one for whatever happens to them. Ends when it is killed."""

import asyncio
import json
import math
import os
import sys

import numpy as np
from livekit import api, rtc

RATE = 48000
FRAME = 480


def say(**what):
    print(json.dumps(what), flush=True)


async def speak(source):
    step = 2 * math.pi * 440 / RATE
    start = 0
    while True:
        part = (int(8000 * math.sin(step * n)) for n in range(start, start + FRAME))
        part = b"".join(value.to_bytes(2, "little", signed=True) for value in part)
        await source.capture_frame(rtc.AudioFrame(part, RATE, 1, FRAME))
        start += FRAME


async def listen(name, track):
    """Prints when what a member hears falls silent and when it sounds again."""
    sounds, since = True, 0
    async for event in rtc.AudioStream(track, sample_rate=RATE, num_channels=1):
        part = np.frombuffer(event.frame.data, dtype=np.int16).astype(np.float64)
        is_loud = float(np.sqrt(np.mean(part**2))) > 500
        since = 0 if is_loud == sounds else since + len(part)
        # Half a second of it is no gap between two packets.
        if since > RATE / 2:
            sounds, since = is_loud, 0
            say(to=name, event="sound" if sounds else "silence")


def watch(name, room):
    """Prints what a member sees happen."""
    room.on("track_muted", lambda who, track: say(to=name, event="muted", track=track.sid))
    room.on("track_subscribed", lambda track, publication, who: say(to=name, event="hears", of=who.identity))
    room.on("track_unsubscribed", lambda track, publication, who: say(to=name, event="hears no more", of=who.identity))
    room.on("data_received", lambda packet: say(to=name, event="data", topic=packet.topic, data=packet.data.decode()))
    room.on("participant_name_changed", lambda who, *_: say(to=name, event="name", of=who.identity, name=who.name))
    room.on("participant_metadata_changed", lambda who, *_: say(to=name, event="metadata", of=who.identity))
    room.on(
        "participant_attributes_changed",
        lambda changed, who: say(to=name, event="attributes", of=who.identity, attributes=changed),
    )
    room.on("disconnected", lambda reason: say(to=name, event="out", reason=rtc.DisconnectReason.Name(reason)))
    room.on("participant_connected", lambda who: say(to=name, event="comes", of=who.identity))
    room.on("moved", lambda *_: say(to=name, event="moved", room=room.name))
    room.on("reconnecting", lambda *_: say(to=name, event="cut", room=room.name))
    room.on("reconnected", lambda *_: say(to=name, event="back", room=room.name, sid=room.local_participant.sid))


async def join(given, identity):
    grants = api.VideoGrants(room_join=True, room=given["room"])
    token = api.AccessToken(given["key"], given["secret"]).with_identity(identity).with_grants(grants).to_jwt()
    room = rtc.Room()
    watch(identity, room)
    await room.connect(given["url"], token)
    return room


async def speaks(given):
    """Ada comes and speaks. Her track, herself and her voice."""
    ada = await join(given, "ada")
    source = rtc.AudioSource(RATE, 1)
    track = rtc.LocalAudioTrack.create_audio_track("microphone", source)
    published = await ada.local_participant.publish_track(
        track, rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)
    )
    voice = asyncio.ensure_future(speak(source))

    @ada.local_participant.register_rpc_method("greet")
    async def greet(call):
        if call.payload == "refuse":
            raise rtc.RpcError(1400, "not today")
        return f"hello {call.payload}"

    return published, ada, voice


async def listens(given):
    """Bob comes; he listens to whoever speaks. What tells that there is somebody."""
    bob = await join(given, "bob")
    heard = asyncio.Event()
    ears = []

    @bob.on("track_subscribed")
    def subscribed(track, publication, who):
        heard.set()
        ears.append(asyncio.ensure_future(listen("bob", track)))

    for one in bob.remote_participants.values():
        for publication in one.track_publications.values():
            if publication.track and not heard.is_set():
                subscribed(publication.track, publication, one)
    return heard, bob


async def main():
    given = json.load(sys.stdin)
    who = given.get("who")
    if who == "bob":
        heard, bob = await listens(given)
        say(ready=True, sid=bob.local_participant.sid)
        await asyncio.Event().wait()
    published, ada, voice = await speaks(given)
    if not who:
        heard, bob = await listens(given)
        await asyncio.wait_for(heard.wait(), 20)
    say(ready=True, track=published.sid, sid=ada.local_participant.sid, recording=ada.is_recording)
    await voice


asyncio.run(main())
# All is said. The library's own threads may outlive the interpreter, and would abort it.
sys.stdout.flush()
os._exit(0)
