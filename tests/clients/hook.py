"""An address that is told what happens in rooms, with the stock SDK's receiver. Reads one JSON object from standard
input: {"key": "API…", "secret": "…", "port": 1234}. Does not take the first event when it comes for the first time.
Prints a JSON line when it listens and one for each event it took. Ends when it is killed."""

import asyncio
import json
import os
import sys

from aiohttp import web
from livekit import api


def say(**what):
    print(json.dumps(what), flush=True)


async def main():
    given = json.load(sys.stdin)
    receiver = api.WebhookReceiver(api.TokenVerifier(given["key"], given["secret"]))
    seen = []

    async def take(request):
        event = receiver.receive((await request.read()).decode(), request.headers["Authorization"])
        seen.append(event.id)
        if len(seen) == 1:
            return web.Response(status=503)
        room = event.room.name or event.egress_info.room_name
        # What is told beside rooms is in none of the SDK's messages.
        recording = json.loads(await request.read()).get("recording")
        again = seen.count(event.id) > 1
        say(event=event.event, room=room, identity=event.participant.identity, again=again, recording=recording)
        return web.Response()

    app = web.Application()
    app.router.add_post("/hook", take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", given["port"]).start()
    say(ready=True)
    await asyncio.Event().wait()


asyncio.run(main())
# All is said. The library's own threads may outlive the interpreter, and would abort it.
sys.stdout.flush()
os._exit(0)
