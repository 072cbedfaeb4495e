"""Members of a meeting, made of the stock client library: each speaks a tone or a file, all leave together.

Reads one JSON object from standard input:
  {"url": "ws://…", "key": "API…", "secret": "…", "room": "…", "seconds": 6,
   "voices": [{"identity": "ada", "name": "Ada", "tone": 440} or {…, "file": "/path.wav"}],
   "chat": "text" or null, "egress": [{"kind": "room"|"participant"|"track", "of": "ada"}], "end": true}
Writes one JSON object: what egress said, by kind.
"""

import asyncio
import json
import math
import os
import sys
import wave

from livekit import api, rtc

RATE = 48000
FRAME = 480


def samples(voice, seconds):
    if "tone" in voice:
        step = 2 * math.pi * voice["tone"] / RATE
        return [int(8000 * math.sin(step * n)) for n in range(RATE * seconds)]
    with wave.open(voice["file"]) as file:
        assert file.getnchannels() == 1 and file.getsampwidth() == 2
        rate, raw = file.getframerate(), file.readframes(file.getnframes())
    said = memoryview(raw).cast("h")
    spoken = [said[n * rate // RATE] for n in range(len(said) * RATE // rate)]
    return spoken + [0] * max(0, RATE * seconds - len(spoken))


async def speak(source, spoken):
    for start in range(0, len(spoken) - FRAME + 1, FRAME):
        part = b"".join(value.to_bytes(2, "little", signed=True) for value in spoken[start : start + FRAME])
        await source.capture_frame(rtc.AudioFrame(part, RATE, 1, FRAME))


def token(given, voice):
    grants = api.VideoGrants(room_join=True, room=given["room"], room_admin=True)
    made = api.AccessToken(given["key"], given["secret"]).with_identity(voice["identity"])
    return made.with_name(voice["name"]).with_grants(grants).to_jwt()


async def egress(lk, given, tracks, wanted):
    file = api.EncodedFileOutput(file_type=api.EncodedFileType.OGG, filepath="t/{room_name}")
    if wanted["kind"] == "room":
        request = api.RoomCompositeEgressRequest(room_name=given["room"], audio_only=True, file_outputs=[file])
        return await lk.egress.start_room_composite_egress(request)
    if wanted["kind"] == "participant":
        request = api.ParticipantEgressRequest(room_name=given["room"], identity=wanted["of"], file_outputs=[file])
        return await lk.egress.start_participant_egress(request)
    direct = api.DirectFileOutput(filepath="t/track")
    request = api.TrackEgressRequest(room_name=given["room"], track_id=tracks[wanted["of"]], file=direct)
    return await lk.egress.start_track_egress(request)


async def main():
    given = json.load(sys.stdin)
    lk = api.LiveKitAPI(given["url"].replace("ws", "http", 1), given["key"], given["secret"])
    rooms, tracks, sources = [], {}, []
    for voice in given["voices"]:
        room = rtc.Room()
        await room.connect(given["url"], token(given, voice))
        source = rtc.AudioSource(RATE, 1)
        track = rtc.LocalAudioTrack.create_audio_track("microphone", source)
        options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)
        published = await room.local_participant.publish_track(track, options)
        tracks[voice["identity"]] = published.sid
        rooms.append(room)
        sources.append((source, samples(voice, given["seconds"])))
    ran = [(wanted["kind"], await egress(lk, given, tracks, wanted)) for wanted in given.get("egress", [])]
    if given.get("chat"):
        await rooms[0].local_participant.send_text(given["chat"], topic="lk.chat")
    await asyncio.gather(*(speak(source, spoken) for source, spoken in sources))
    said = {"recording": rooms[0].is_recording, "egress": []}
    for kind, info in ran:
        await lk.egress.stop_egress(api.StopEgressRequest(egress_id=info.egress_id))
        said["egress"].append({"kind": kind, "id": info.egress_id, "status": info.status})
    for room in rooms:
        await room.disconnect()
    if given.get("end"):
        await lk.room.delete_room(api.DeleteRoomRequest(room=given["room"]))
    for kind in said["egress"]:
        for _ in range(600):
            found = await lk.egress.list_egress(api.ListEgressRequest(egress_id=kind["id"]))
            info = found.items[0]
            if info.status not in (api.EgressStatus.EGRESS_ACTIVE, api.EgressStatus.EGRESS_ENDING):
                break
            await asyncio.sleep(0.1)
        file = info.file_results[0]
        kind.update(status=info.status, location=file.location, duration=file.duration, size=file.size)
    await lk.aclose()
    json.dump(said, sys.stdout)


asyncio.run(main())
# All is said. The library's own threads may outlive the interpreter, and would abort it.
sys.stdout.flush()
os._exit(0)
