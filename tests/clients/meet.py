"""Two members of one room, made with the stock client library; what they saw is written as JSON.

Reads from standard input: {"url", "key", "secret", "room", "single"}; "single": one connection or two.
"""

import asyncio
import json
import os
import sys

import numpy
from livekit import api, rtc

RATE = 48_000
TONE_HZ = 440.0
seen: dict = {"attributes": [], "muted": [], "speakers": [], "data": [], "reconnected": []}


def token(given: dict, identity: str) -> str:
    grants = api.VideoGrants(room_join=True, room=given["room"], can_update_own_metadata=True)
    return api.AccessToken(given["key"], given["secret"]).with_identity(identity).with_grants(grants).to_jwt()


async def until(wanted, seconds: float = 15.0) -> None:
    """Waits for something to become true."""
    end = asyncio.get_running_loop().time() + seconds
    while not wanted():
        if asyncio.get_running_loop().time() > end:
            raise TimeoutError(json.dumps(seen))
        await asyncio.sleep(0.02)


class Ear:
    """What one member hears of another."""

    def __init__(self) -> None:
        self.frames: list = []
        self.tasks: dict = {}

    def listen(self, track, *_) -> None:
        self.tasks[track.sid] = asyncio.ensure_future(self.collect(track))

    def leave(self, track, *_) -> None:
        """A new track may take the media line of one that ended, and is then heard on the old stream as well."""
        self.tasks.pop(track.sid).cancel()

    async def collect(self, track) -> None:
        stream = rtc.AudioStream(track, sample_rate=RATE, num_channels=1)
        async for event in stream:
            self.frames.append(numpy.frombuffer(event.frame.data, dtype=numpy.int16).copy())

    async def hear(self, seconds: float) -> dict:
        """What comes once the jitter buffer has settled, which stretches sound for a while after a start."""
        self.frames.clear()
        await until(lambda: sum(map(len, self.frames)) > RATE * (seconds + 2), 30)
        sound = numpy.concatenate(self.frames)[RATE * 2 :].astype(float)
        spectrum = numpy.abs(numpy.fft.rfft(sound * numpy.hanning(len(sound))))
        pitch = numpy.fft.rfftfreq(len(sound), 1 / RATE)[spectrum.argmax()]
        return {"rms": float(numpy.sqrt((sound**2).mean())), "pitch_hz": float(pitch)}


async def feed(source) -> None:
    phase = 0
    while True:
        steps = (numpy.arange(480) + phase) / RATE
        phase += 480
        samples = (numpy.sin(2 * numpy.pi * TONE_HZ * steps) * 12_000).astype(numpy.int16)
        await source.capture_frame(rtc.AudioFrame(samples.tobytes(), RATE, 1, 480))


async def reconnect(room, scenario: str) -> None:
    """Makes the client's connection fail and waits until it is back."""
    count = len(seen["reconnected"])
    await room.simulate_scenario(rtc.SimulateScenarioKind.Value(scenario))
    await until(lambda: len(seen["reconnected"]) > count, 20)


async def main() -> None:
    given = json.load(sys.stdin)
    options = rtc.RoomOptions(auto_subscribe=True, single_peer_connection=given["single"])
    ada, bob, ear = rtc.Room(), rtc.Room(), Ear()
    bob.on("track_subscribed", ear.listen)
    bob.on("track_unsubscribed", ear.leave)
    bob.on("data_received", lambda packet: seen["data"].append([packet.data.decode(), packet.participant.identity]))
    bob.on("participant_attributes_changed", lambda changed, _: seen["attributes"].append(changed))
    bob.on("track_muted", lambda *_: seen["muted"].append(True))
    bob.on("track_unmuted", lambda *_: seen["muted"].append(False))
    bob.on("active_speakers_changed", lambda who: seen["speakers"].append([one.identity for one in who]))
    ada.on("reconnected", lambda: seen["reconnected"].append("ada"))
    await bob.connect(given["url"], token(given, "bob"), options)
    await ada.connect(given["url"], token(given, "ada"), options)

    source = rtc.AudioSource(RATE, 1)
    tone = rtc.LocalAudioTrack.create_audio_track("tone", source)
    feeding = asyncio.ensure_future(feed(source))
    microphone = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)
    publication = await ada.local_participant.publish_track(tone, microphone)
    await asyncio.wait_for(publication.wait_for_subscription(), 15)
    await until(lambda: ear.tasks)
    seen["tone"] = await ear.hear(2.0)
    await until(lambda: ["ada"] in seen["speakers"])

    await ada.local_participant.publish_data(b"reliable", reliable=True, topic="t")
    await ada.local_participant.publish_data(b"lossy", reliable=False, topic="t")
    await until(lambda: len(seen["data"]) == 2)
    await ada.local_participant.set_attributes({"mood": "good"})
    await until(lambda: seen["attributes"])
    tone.mute()
    await until(lambda: seen["muted"] == [True])
    await until(lambda: seen["speakers"][-1] == [])
    tone.unmute()
    await until(lambda: seen["muted"] == [True, False])

    async def echo(call) -> str:
        return f"{call.caller_identity}: {call.payload}"

    bob.local_participant.register_rpc_method("echo", echo)
    call = ada.local_participant.perform_rpc(destination_identity="bob", method="echo", payload="hi")
    seen["rpc"] = await asyncio.wait_for(call, 10)
    written: asyncio.Future = asyncio.get_running_loop().create_future()

    async def read(reader) -> None:
        written.set_result(await reader.read_all())

    bob.register_text_stream_handler("notes", lambda reader, _: asyncio.ensure_future(read(reader)))
    await ada.local_participant.send_text("x" * 40_000, topic="notes")
    seen["text"] = len(await asyncio.wait_for(written, 10))

    for name in ("SIMULATE_SIGNAL_RECONNECT", "SIMULATE_FULL_RECONNECT"):
        await reconnect(ada, name)
        # The receiver stretches the first sound after a gap to refill its buffer.
        await ear.hear(1.0)
        seen[name.lower()] = await ear.hear(2.0)
    feeding.cancel()
    await ada.disconnect()
    await bob.disconnect()
    print(json.dumps(seen))


asyncio.run(asyncio.wait_for(main(), 120))
# All is said. The library's own threads may outlive the interpreter, and would abort it.
sys.stdout.flush()
os._exit(0)
