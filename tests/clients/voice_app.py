"""A program made for Twilio's Media Streams that says back what it hears. Reads one JSON object from standard input:
{}. Prints a JSON line with its port when it listens, and one for each message that is no audio. Ends when it is killed."""

import asyncio
import json
import sys

from aiohttp import WSMsgType, web


def say(**what):
    print(json.dumps(what), flush=True)


async def stream(request):
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    async for message in socket:
        if message.type != WSMsgType.TEXT:
            break
        data = json.loads(message.data)
        if data["event"] == "media":
            reply = {"event": "media", "streamSid": data["streamSid"], "media": {"payload": data["media"]["payload"]}}
            await socket.send_str(json.dumps(reply))
        else:
            say(**data)
    return socket


async def main():
    json.load(sys.stdin)
    app = web.Application()
    app.router.add_get("/stream", stream)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    say(port=runner.addresses[0][1])
    await asyncio.Event().wait()


asyncio.run(main())
