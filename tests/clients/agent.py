"""An agent made with the stock agent framework that gives callers back what they say. Reads one JSON object from
standard input: {"url": "ws://…", "key": "API…", "secret": "…", "agent": "echo"}; prints one JSON line when it is
registered, one for each job and one for each caller it hears. Ends when it is killed."""

import asyncio
import json
import sys

from livekit import agents, rtc

RATE = 48000


def say(**what):
    print(json.dumps(what), flush=True)


async def echo(track, source):
    async for event in rtc.AudioStream(track, sample_rate=RATE, num_channels=1, frame_size_ms=10):
        await source.capture_frame(event.frame)


async def serve(job: agents.JobContext):
    tasks = []
    # A short queue: whoever waits behind it would be heard late.
    source = rtc.AudioSource(RATE, 1, queue_size_ms=40)

    @job.room.on("track_subscribed")
    def heard(track, publication, participant):
        say(hears=participant.identity, kind=participant.kind, attributes=dict(participant.attributes))
        tasks.append(asyncio.ensure_future(echo(track, source)))

    say(job=job.job.id, room=job.job.room.name, metadata=job.job.metadata)
    await job.connect()
    voice = rtc.LocalAudioTrack.create_audio_track("voice", source)
    await job.room.local_participant.publish_track(
        voice, rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)
    )
    over = asyncio.Event()
    job.room.on("disconnected", lambda *_: over.set())
    await over.wait()


async def main():
    given = json.load(sys.stdin)
    server = agents.AgentServer(
        # One process: killing it is killing the agent.
        job_executor_type=agents.JobExecutorType.THREAD,
        num_idle_processes=1,
        load_threshold=float("inf"),
        ws_url=given["url"],
        api_key=given["key"],
        api_secret=given["secret"],
        host="127.0.0.1",
        port=0,
    )
    server.rtc_session(serve, agent_name=given["agent"])
    server.on("worker_started", lambda *_: None)
    server.on("worker_registered", lambda *_: say(registered=True))
    await server.run(devmode=True)


if __name__ == "__main__":
    asyncio.run(main())
