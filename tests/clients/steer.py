"""A program that steers members who are there, with the stock server SDK. Reads one JSON object from standard input:
{"url": "ws://…", "key": "API…", "secret": "…", "room": "…", "other": "…", "track": "TR_…"} and prints one JSON line of
what it was answered. `steer.mjs` does the same with the SDK for Node."""

import asyncio
import json
import os
import sys

from livekit import api
from livekit.api import TwirpError


async def refused(call):
    try:
        await call
    except TwirpError as error:
        return error.code
    return "not refused"


async def main():
    given = json.load(sys.stdin)
    room, other, track = given["room"], given["other"], given["track"]
    http = given["url"].replace("ws", "http", 1)
    seen = {}
    async with api.LiveKitAPI(http, given["key"], given["secret"]) as lk:
        listed = await lk.room.list_participants(api.ListParticipantsRequest(room=room))
        seen["listed"] = sorted(one.identity for one in listed.participants)
        ada = api.RoomParticipantIdentity(room=room, identity="ada")
        seen["sound"] = [one.sid for one in (await lk.room.get_participant(ada)).tracks] == [track]
        changed = await lk.room.update_participant(
            api.UpdateParticipantRequest(
                room=room, identity="ada", name="Ada L", metadata="m", attributes={"mood": "good"}
            )
        )
        seen["changed"] = [changed.name, changed.metadata, changed.attributes["mood"]]
        await lk.room.send_data(
            api.SendDataRequest(room=room, data=b"hello", topic="t", destination_identities=["bob"])
        )
        request = api.StartEgressRequest(
            room_name=room,
            media=api.MediaSource(audio=api.AudioConfig(routes=[api.AudioRoute(track_id=track)])),
            outputs=[api.Output(file=api.FileOutput(file_type=api.EncodedFileType.OGG, filepath="voice"))],
        )
        egress = await lk.egress.start_egress(request)
        seen["egress"] = [egress.room_name, egress.file_results[0].filename]
        for wanted in (False, True):
            await lk.room.update_subscriptions(
                api.UpdateSubscriptionsRequest(room=room, identity="bob", track_sids=[track], subscribe=wanted)
            )
            # Said at once, the two would take each other back.
            await asyncio.sleep(2)
        active = await lk.egress.list_egress(api.ListEgressRequest(room_name=room, active=True))
        seen["active"] = [one.egress_id for one in active.items] == [egress.egress_id]
        await lk.egress.stop_egress(api.StopEgressRequest(egress_id=egress.egress_id))
        seen["no egress"] = await refused(lk.egress.stop_egress(api.StopEgressRequest(egress_id="EG_none")))
        seen["no subscriber"] = await refused(
            lk.room.update_subscriptions(
                api.UpdateSubscriptionsRequest(room=room, identity="nobody", track_sids=[track], subscribe=True)
            )
        )

        def call(to, method, payload):
            # The SDK has the messages and no method yet, so the call goes through what all its methods use.
            request = api.PerformRpcRequest(
                room=room, destination_identity=to, method=method, payload=payload, response_timeout_ms=5000
            )
            grants = api.VideoGrants(room_admin=True, room=room)
            return lk.room._client.request(
                "RoomService", "PerformRpc", request, lk.room._auth_header(grants), api.PerformRpcResponse
            )

        seen["rpc"] = (await call("ada", "greet", "you")).payload
        seen["rpc to nobody"] = await refused(call("nobody", "greet", "you"))
        seen["rpc refused"] = await refused(call("ada", "greet", "refuse"))
        seen["rpc unknown"] = await refused(call("ada", "nothing", ""))
        muted = await lk.room.mute_published_track(
            api.MuteRoomTrackRequest(room=room, identity="ada", track_sid=track, muted=True)
        )
        seen["muted"] = muted.track.muted
        seen["no track"] = await refused(
            lk.room.mute_published_track(
                api.MuteRoomTrackRequest(room=room, identity="bob", track_sid=track, muted=True)
            )
        )
        there = api.MoveParticipantRequest(room=room, identity="bob", destination_room=other)
        seen["no such room"] = await refused(lk.room.move_participant(there))
        await lk.room.create_room(api.CreateRoomRequest(name=other))
        await lk.room.move_participant(there)
        for _ in range(100):
            listed = await lk.room.list_participants(api.ListParticipantsRequest(room=other))
            if [one.identity for one in listed.participants] == ["bob"]:
                break
            await asyncio.sleep(0.1)
        seen["moved"] = [one.identity for one in listed.participants]
        forward = api.ForwardParticipantRequest(room=room, identity="ada", destination_room=other)
        await lk.room.forward_participant(forward)
        for _ in range(100):
            listed = await lk.room.list_participants(api.ListParticipantsRequest(room=other))
            seen["forwarded"] = sorted([one.identity, len(one.tracks)] for one in listed.participants)
            if ["ada", 1] in seen["forwarded"]:
                break
            await asyncio.sleep(0.1)
        # Time to hear them there.
        await asyncio.sleep(3)
        forward.identity = "nobody"
        seen["no one to forward"] = await refused(lk.room.forward_participant(forward))
        await lk.room.remove_participant(ada)
        seen["removed"] = await refused(lk.room.get_participant(ada))
    print(json.dumps(seen), flush=True)


asyncio.run(main())
# All is said. The library's own threads may outlive the interpreter, and would abort it.
sys.stdout.flush()
os._exit(0)
