"""Two members who watch a third one's picture, whose sizes come in one stream (SVC). Reads one JSON object from standard
input: {"url": "ws://…", "key": "API…", "secret": "…", "room": "…", "codec": "vp9"}. One watcher always has the largest
size, the other goes from the smallest to the middle one to the largest. Prints the heights that each saw last at each step."""

import asyncio
import json
import os
import sys

import numpy as np
from livekit import api, rtc
from livekit.rtc._proto.track_publication_pb2 import VideoQuality

CODECS = {"vp9": rtc.VideoCodec.VP9, "av1": rtc.VideoCodec.AV1}
STEPS = {
    "low": VideoQuality.VIDEO_QUALITY_LOW,
    "medium": VideoQuality.VIDEO_QUALITY_MEDIUM,
    "high": VideoQuality.VIDEO_QUALITY_HIGH,
}
SIZES = {"low": 180, "medium": 360, "high": 720}


async def come(given, identity):
    grants = api.VideoGrants(room_join=True, room=given["room"])
    token = api.AccessToken(given["key"], given["secret"]).with_identity(identity).with_grants(grants).to_jwt()
    room = rtc.Room()
    watched = asyncio.get_running_loop().create_future()
    room.on("track_subscribed", lambda track, publication, who: watched.set_result((track, publication)))
    await room.connect(given["url"], token)
    return room, watched


async def show(source):
    """Bars that move, fifteen times a second."""
    step = 0
    while True:
        step += 1
        row = (((np.arange(1280) + step * 8) // 160) % 8 * 28 + 32).astype(np.uint8)
        luma = np.tile(row, (720, 1))
        grey = np.full(640 * 720, 128, np.uint8)
        data = np.concatenate([luma.ravel(), grey]).tobytes()
        source.capture_frame(rtc.VideoFrame(1280, 720, rtc.VideoBufferType.I420, data))
        await asyncio.sleep(1 / 15)


async def watch(track, seen):
    async for event in rtc.VideoStream.from_track(track=track):
        seen.append(event.frame.height)


async def until_height(seen, wanted):
    """Five frames in a row of about that height."""
    seen.clear()
    for _ in range(900):
        last = seen[-5:]
        if len(last) == 5 and all(abs(height - wanted) <= wanted // 5 for height in last):
            return seen[-1]
        await asyncio.sleep(0.05)
    raise TimeoutError(f"no picture of {wanted} lines: {seen[-10:]}")


async def main():
    given = json.load(sys.stdin)
    sender, _ = await come(given, "sender")
    source = rtc.VideoSource(1280, 720)
    track = rtc.LocalVideoTrack.create_video_track("bars", source)
    options = rtc.TrackPublishOptions(
        source=rtc.TrackSource.SOURCE_CAMERA,
        simulcast=True,
        video_codec=CODECS[given["codec"]],
        video_encoding=rtc.VideoEncoding(max_bitrate=4_000_000, max_framerate=15),
    )
    options.scalability_mode = "L3T3_KEY"
    showing = asyncio.create_task(show(source))
    await sender.local_participant.publish_track(track, options)
    watchers = [await come(given, name) for name in ("large", "chooser")]
    seen, tasks, publications = ([], []), [], []
    for (_, watched), frames in zip(watchers, seen):
        track, publication = await asyncio.wait_for(watched, 60)
        publications.append(publication)
        tasks.append(asyncio.create_task(watch(track, frames)))
    large, chooser = seen
    said = {"begin": [await until_height(large, 720), await until_height(chooser, 720)]}
    for step, quality in STEPS.items():
        publications[1].set_video_quality(quality)
        chosen = await until_height(chooser, SIZES[step])
        said[step] = [await until_height(large, 720), chosen]
    print(json.dumps(said), flush=True)
    for task in [showing, *tasks]:
        task.cancel()
    for room in [sender, *(room for room, _ in watchers)]:
        await room.disconnect()


asyncio.run(main())
# All is said. The library's own threads may outlive the interpreter, and would abort it.
sys.stdout.flush()
os._exit(0)
