"""A program that leads phones into a room with the stock server SDK, and a member of it. Reads one JSON object from
standard input: {"url": "ws://…", "key": "API…", "secret": "…", "room": "…", "pin": "…", "desk": "102", "third": "103",
"quiet": "101", "nobody": "199"}. Makes a trunk and a rule, waits for a phone that comes by them, presses a key for it, sees it hold and
come back, mutes it, calls the desk into the room, transfers it to the third, calls the third, which lets it ring, and
calls nobody. Prints one JSON line for
each step."""

import asyncio
import json
import os
import sys

from livekit import api, rtc
from livekit.api import TwirpError

PHONE = rtc.ParticipantKind.PARTICIPANT_KIND_SIP


def say(**what):
    print(json.dumps(what), flush=True)


async def until(what, ready):
    for _ in range(600):
        if ready():
            return
        await asyncio.sleep(0.1)
    raise TimeoutError(what)


async def entrance(lk, given):
    """A trunk for calls from this machine, and a rule that asks for a PIN."""
    trunk = await lk.sip.create_inbound_trunk(
        api.CreateSIPInboundTrunkRequest(
            trunk=api.SIPInboundTrunkInfo(name="provider", numbers=["+15550007000"], allowed_addresses=["127.0.0.1"])
        )
    )
    rule = await lk.sip.create_dispatch_rule(
        api.CreateSIPDispatchRuleRequest(
            dispatch_rule=api.SIPDispatchRuleInfo(
                name="reception",
                trunk_ids=[trunk.sip_trunk_id],
                attributes={"team": "blue"},
                rule=api.SIPDispatchRule(
                    dispatch_rule_direct=api.SIPDispatchRuleDirect(room_name=given["room"], pin=given["pin"])
                ),
            )
        )
    )
    return rule.sip_dispatch_rule_id


async def main():
    given = json.load(sys.stdin)
    name = given["room"]
    http = given["url"].replace("ws", "http", 1)
    grants = api.VideoGrants(room_join=True, room=name)
    token = api.AccessToken(given["key"], given["secret"]).with_identity("host").with_grants(grants).to_jwt()
    async with api.LiveKitAPI(http, given["key"], given["secret"]) as lk:
        rule = await entrance(lk, given)
        room = rtc.Room()
        statuses = []

        @room.on("participant_connected")
        def came(who):
            statuses.append((who.identity, who.attributes.get("sip.callStatus")))

        @room.on("participant_attributes_changed")
        def changed(attributes, who):
            if "sip.callStatus" in attributes:
                statuses.append((who.identity, attributes["sip.callStatus"]))

        await room.connect(given["url"], token)
        say(ready=True)
        phones = lambda: [one for one in room.remote_participants.values() if one.kind == PHONE]
        await until("a phone by the rule", phones)
        caller = phones()[0]
        attributes = dict(caller.attributes)
        say(came=attributes["sip.callStatus"], by_rule=attributes["sip.ruleID"] == rule, team=attributes["team"])
        await room.local_participant.publish_dtmf(code=9, digit="9")
        for wanted in ("hold", "active"):
            await until(wanted, lambda: statuses and statuses[-1] == (caller.identity, wanted))
            say(status=wanted)
        await until("its track", lambda: caller.track_publications)
        track = next(iter(caller.track_publications))
        muted = await lk.room.mute_published_track(
            api.MuteRoomTrackRequest(room=name, identity=caller.identity, track_sid=track, muted=True)
        )
        say(muted=muted.track.muted)
        desk = await lk.sip.create_sip_participant(
            api.CreateSIPParticipantRequest(
                sip_call_to=given["desk"],
                room_name=name,
                participant_identity="desk",
                participant_name="The desk",
                participant_attributes={"floor": "2"},
                wait_until_answered=True,
            )
        )
        await until("the desk", lambda: ("desk", "active") in statuses)
        there = room.remote_participants["desk"]
        say(
            desk=desk.participant_identity,
            sid=desk.participant_id == there.sid,
            name=there.name,
            floor=there.attributes["floor"],
            status=there.attributes["sip.callStatus"],
            statuses=[status for who, status in statuses if who == "desk"],
        )
        moved = await lk.sip.transfer_sip_participant(
            api.TransferSIPParticipantRequest(
                participant_identity="desk", room_name=name, transfer_to=f"tel:{given['third']}"
            )
        )
        await until("the desk to go", lambda: "desk" not in room.remote_participants)
        say(transferred=api.SIPTransferStatus.Name(moved.status))
        quiet = await lk.sip.create_sip_participant(
            api.CreateSIPParticipantRequest(sip_call_to=given["quiet"], room_name=name, participant_identity="quiet")
        )
        await until("it rings", lambda: ("quiet", "ringing") in statuses)
        there = room.remote_participants["quiet"]
        say(rings=there.sid == quiet.participant_id)
        await lk.room.remove_participant(api.RoomParticipantIdentity(room=name, identity="quiet"))
        await until("it goes", lambda: "quiet" not in room.remote_participants)
        say(statuses=[status for who, status in statuses if who == "quiet"])
        try:
            await lk.sip.create_sip_participant(
                api.CreateSIPParticipantRequest(sip_call_to=given["nobody"], room_name=name, wait_until_answered=True)
            )
            say(nobody="answered")
        except TwirpError as error:
            say(nobody=error.code, sip_status=error.metadata.get("sip_status_code"))
        await room.disconnect()


asyncio.run(main())
# All is said. The library's own threads may outlive the interpreter, and would abort it.
sys.stdout.flush()
os._exit(0)
