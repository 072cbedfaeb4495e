"""A host of a meeting, made of the stock client library, who speaks a tone and watches the phones there.

Reads a line of JSON from standard input:
  {"url": "ws://…", "key": "API…", "secret": "…", "room": "…", "tone": 700, "pitches": [600, 1004],
   "phones": 1, "seconds": 5, "press": "12" or null, "remove": true, "keys": 1}
Waits until that many phones are in, speaks for the seconds, and on until standard input is closed, while it listens
to each, presses keys for the first one, waits for that many keys of theirs, and removes the first. Writes one JSON object: for each phone its identity, kind,
attributes and level by pitch in dBFS, the same levels of every voice by identity, and the keys that came.
"""

import asyncio
import json
import math
import os
import sys

from livekit import api, rtc

RATE = 48000
FRAME = 480
PHONE = rtc.ParticipantKind.PARTICIPANT_KIND_SIP


def level(samples, pitch):
    """Goertzel over all samples, a full-scale sine is 0."""
    factor = 2 * math.cos(2 * math.pi * pitch / RATE)
    last = before = 0.0
    for sample in samples:
        last, before = sample / 32768 + factor * last - before, last
    power = last * last + before * before - factor * last * before
    return 20 * math.log10(max(2 * math.sqrt(max(power, 0)) / max(len(samples), 1), 1e-9))


async def speak(source, pitch, seconds, closed):
    step, start = 2 * math.pi * pitch / RATE, 0
    while start < RATE * seconds or not closed.done():
        part = [int(8000 * math.sin(step * n)) for n in range(start, start + FRAME)]
        part = b"".join(value.to_bytes(2, "little", signed=True) for value in part)
        await source.capture_frame(rtc.AudioFrame(part, RATE, 1, FRAME))
        start += FRAME


async def listen(track, heard):
    async for event in rtc.AudioStream(track, sample_rate=RATE, num_channels=1):
        heard.extend(event.frame.data)


async def until(ready):
    for _ in range(600):
        if ready():
            return
        await asyncio.sleep(0.1)
    raise TimeoutError("what was waited for did not come")


async def main():
    given = json.loads(sys.stdin.readline())
    closed = asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    lk = api.LiveKitAPI(given["url"].replace("ws", "http", 1), given["key"], given["secret"])
    grants = api.VideoGrants(room_join=True, room=given["room"], room_admin=True)
    token = api.AccessToken(given["key"], given["secret"]).with_identity("host").with_grants(grants).to_jwt()
    room, sounds, keys, tasks = rtc.Room(), {}, [], []

    @room.on("track_subscribed")
    def subscribed(track, publication, participant):
        heard = sounds.setdefault(participant.identity, [])
        tasks.append(asyncio.ensure_future(listen(track, heard)))

    room.on("sip_dtmf_received", lambda key: keys.append(key.digit))
    await room.connect(given["url"], token)
    print(json.dumps({"joined": True}), flush=True)
    source = rtc.AudioSource(RATE, 1)
    track = rtc.LocalAudioTrack.create_audio_track("microphone", source)
    await room.local_participant.publish_track(
        track, rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)
    )
    phones = lambda: [one for one in room.remote_participants.values() if one.kind == PHONE]
    await until(lambda: len(phones()) >= given["phones"] and len(sounds) >= given["phones"])
    found = sorted(phones(), key=lambda one: one.identity)
    await speak(source, given["tone"], given["seconds"], closed)
    said = {"phones": [], "keys": [], "voices": {}}
    for identity, heard in sounds.items():
        said["voices"][identity] = {str(pitch): level(heard[-2 * RATE :], pitch) for pitch in given["pitches"]}
    for one in found:
        heard = sounds[one.identity][-2 * RATE :]
        said["phones"].append(
            {
                "identity": one.identity,
                "attributes": dict(one.attributes),
                "levels": {str(pitch): level(heard, pitch) for pitch in given["pitches"]},
            }
        )
    for digit in given.get("press") or "":
        code = "0123456789*#".index(digit)
        await room.local_participant.publish_dtmf(code=code, digit=digit)
    await until(lambda: len(keys) >= given.get("keys", 0))
    said["keys"] = keys
    if given.get("remove"):
        await asyncio.sleep(1)
        wanted = api.RoomParticipantIdentity(room=given["room"], identity=found[0].identity)
        await lk.room.remove_participant(wanted)
        await until(lambda: len(phones()) < given["phones"])
    for task in tasks:
        task.cancel()
    await room.disconnect()
    await lk.aclose()
    print(json.dumps(said), flush=True)


asyncio.run(main())
# All is said. The library's own threads may outlive the interpreter, and would abort it.
sys.stdout.flush()
os._exit(0)
