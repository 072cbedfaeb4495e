"""A program that steers rooms with the stock server SDK. Reads what it needs as JSON from standard input, asks
every method, and prints one JSON line of what it saw. Anything unexpected is an exception and a bad exit."""

import asyncio
import json
import os
import sys

from aiohttp import web
from livekit import api
from livekit.api import TwirpError


async def refused(call):
    """The code a call is refused with."""
    try:
        await call
    except TwirpError as error:
        return error.code
    raise AssertionError("it was not refused")


async def rooms(lk, seen):
    room = await lk.room.create_room(api.CreateRoomRequest(name="plan", metadata="m", empty_timeout=60))
    assert room.sid.startswith("RM_") and room.metadata == "m", room
    listed = await lk.room.list_rooms(api.ListRoomsRequest())
    assert [r.name for r in listed.rooms] == ["plan"], listed
    listed = await lk.room.list_rooms(api.ListRoomsRequest(names=["other"]))
    assert not listed.rooms
    changed = await lk.room.update_room_metadata(api.UpdateRoomMetadataRequest(room="plan", metadata="n"))
    assert changed.metadata == "n"
    people = await lk.room.list_participants(api.ListParticipantsRequest(room="plan"))
    assert not people.participants
    nobody = api.RoomParticipantIdentity(room="plan", identity="nobody")
    seen["no participant"] = await refused(lk.room.get_participant(nobody))
    seen["no one to remove"] = await refused(lk.room.remove_participant(nobody))
    seen["no one to change"] = await refused(
        lk.room.update_participant(api.UpdateParticipantRequest(room="plan", identity="nobody", name="x"))
    )
    seen["no track"] = await refused(
        lk.room.mute_published_track(
            api.MuteRoomTrackRequest(room="plan", identity="nobody", track_sid="TR_x", muted=True)
        )
    )
    await lk.room.send_data(api.SendDataRequest(room="plan", data=b"hello", topic="t"))
    seen["no room"] = await refused(lk.room.list_participants(api.ListParticipantsRequest(room="none")))
    await lk.room.delete_room(api.DeleteRoomRequest(room="plan"))
    seen["deleted"] = await refused(lk.room.delete_room(api.DeleteRoomRequest(room="plan")))


async def sip(lk, seen):
    inbound = await lk.sip.create_inbound_trunk(
        api.CreateSIPInboundTrunkRequest(
            trunk=api.SIPInboundTrunkInfo(name="in", numbers=["+15550100"], allowed_addresses=["192.0.2.1"])
        )
    )
    assert inbound.sip_trunk_id.startswith("ST_"), inbound
    outbound = await lk.sip.create_outbound_trunk(
        api.CreateSIPOutboundTrunkRequest(
            trunk=api.SIPOutboundTrunkInfo(
                name="out", address="192.0.2.2", numbers=["+15550101"], auth_username="u", auth_password="secret"
            )
        )
    )
    assert outbound.auth_username == "u" and not outbound.auth_password, "a password is given back"
    listed = await lk.sip.list_inbound_trunk(api.ListSIPInboundTrunkRequest())
    assert [t.sip_trunk_id for t in listed.items] == [inbound.sip_trunk_id]
    listed = await lk.sip.list_outbound_trunk(api.ListSIPOutboundTrunkRequest())
    assert [t.name for t in listed.items] == ["out"]
    rule = await lk.sip.create_dispatch_rule(
        api.CreateSIPDispatchRuleRequest(
            dispatch_rule=api.SIPDispatchRuleInfo(
                name="reception",
                trunk_ids=[inbound.sip_trunk_id],
                rule=api.SIPDispatchRule(
                    dispatch_rule_direct=api.SIPDispatchRuleDirect(room_name="reception", pin="1234")
                ),
            )
        )
    )
    assert rule.sip_dispatch_rule_id.startswith("SDR_"), rule
    listed = await lk.sip.list_dispatch_rule(api.ListSIPDispatchRuleRequest())
    assert listed.items[0].rule.dispatch_rule_direct.room_name == "reception"
    seen["open trunk"] = await refused(
        lk.sip.create_inbound_trunk(api.CreateSIPInboundTrunkRequest(trunk=api.SIPInboundTrunkInfo(name="x")))
    )
    await lk.sip.delete_dispatch_rule(api.DeleteSIPDispatchRuleRequest(sip_dispatch_rule_id=rule.sip_dispatch_rule_id))
    await lk.sip.delete_trunk(api.DeleteSIPTrunkRequest(sip_trunk_id=inbound.sip_trunk_id))
    await lk.sip.delete_trunk(api.DeleteSIPTrunkRequest(sip_trunk_id=outbound.sip_trunk_id))
    seen["no trunk"] = await refused(
        lk.sip.delete_trunk(api.DeleteSIPTrunkRequest(sip_trunk_id=outbound.sip_trunk_id))
    )


async def grants(given, seen):
    """What a token that says nothing, and one of another's making, may do."""
    http = given["url"].replace("ws", "http", 1)
    token = api.AccessToken(given["key"], given["secret"]).with_identity("x").to_jwt()
    async with api.LiveKitAPI(http, token=token) as weak:
        seen["no grant"] = await refused(weak.room.list_rooms(api.ListRoomsRequest()))
    async with api.LiveKitAPI(http, given["key"], "another secret of some length") as forged:
        seen["forged"] = await refused(forged.room.list_rooms(api.ListRoomsRequest()))


async def told(given, lk, seen):
    """What a webhook is told of a room that comes and goes, taken by the SDK's own receiver."""
    receiver = api.WebhookReceiver(api.TokenVerifier(given["key"], given["secret"]))
    events = asyncio.Queue()

    async def take(request):
        assert request.headers["Content-Type"].startswith("application/webhook+json"), request.headers
        body = (await request.read()).decode()
        event = receiver.receive(body, request.headers["Authorization"])
        await events.put(event)
        return web.Response()

    app = web.Application()
    app.router.add_post("/hook", take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", given["hook_port"])
    await site.start()
    await lk.room.create_room(api.CreateRoomRequest(name="hooked"))
    await lk.room.delete_room(api.DeleteRoomRequest(room="hooked"))
    # What was not taken while nobody listened comes first, in its order.
    heard = []
    while not heard or (heard[-1].room.name, heard[-1].event) != ("hooked", "room_finished"):
        heard.append(await asyncio.wait_for(events.get(), 60))
    assert all(event.id.startswith("EV_") for event in heard), heard
    seen["told"] = [event.event for event in heard if event.room.name == "hooked"]
    await runner.cleanup()


async def main():
    given = json.load(sys.stdin)
    seen = {}
    http = given["url"].replace("ws", "http", 1)
    async with api.LiveKitAPI(http, given["key"], given["secret"]) as lk:
        await rooms(lk, seen)
        await sip(lk, seen)
        await grants(given, seen)
        if "hook_port" in given:
            await told(given, lk, seen)
    print(json.dumps(seen), flush=True)


asyncio.run(main())
# All is said. The library's own threads may outlive the interpreter, and would abort it.
sys.stdout.flush()
os._exit(0)
