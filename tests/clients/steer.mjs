// As `steer.py`, with the server SDK for Node, which writes JSON where Python's writes protobuf. The SDK's folder
// is named by the first argument.
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';

const require = createRequire(process.argv[2] + '/');
const { EgressClient, RoomServiceClient } = require('livekit-server-sdk');
const { AudioConfig, AudioRoute, EncodedFileType, FileOutput, MediaSource, Output, StartEgressRequest } =
  require('@livekit/protocol');
const given = JSON.parse(readFileSync(0, 'utf8'));
const { room, other, track } = given;
const http = given.url.replace('ws', 'http');
const lk = new RoomServiceClient(http, given.key, given.secret);
const seen = {};

async function refused(call) {
  try {
    await call;
  } catch (error) {
    return error.code;
  }
  return 'not refused';
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const names = (list) => list.map((one) => one.identity).sort();
seen.listed = names(await lk.listParticipants(room));
seen.sound = (await lk.getParticipant(room, 'ada')).tracks.map((one) => one.sid).join() === track;
const changed = await lk.updateParticipant(room, 'ada', { name: 'Ada L', metadata: 'm', attributes: { mood: 'good' } });
seen.changed = [changed.name, changed.metadata, changed.attributes.mood];
await lk.sendData(room, new TextEncoder().encode('hello'), 0, { topic: 't', destinationIdentities: ['bob'] });
const recorder = new EgressClient(http, given.key, given.secret);
const egress = await recorder.startEgress(
  new StartEgressRequest({
    roomName: room,
    source: {
      case: 'media',
      value: new MediaSource({
        audio: new AudioConfig({ routes: [new AudioRoute({ match: { case: 'trackId', value: track } })] }),
      }),
    },
    outputs: [
      new Output({
        config: { case: 'file', value: new FileOutput({ fileType: EncodedFileType.OGG, filepath: 'voice' }) },
      }),
    ],
  }),
);
seen.egress = [egress.roomName, egress.fileResults[0].filename];
for (const wanted of [false, true]) {
  await lk.updateSubscriptions(room, 'bob', [track], wanted);
  // Said at once, the two would take each other back.
  await pause(2000);
}
const active = await recorder.listEgress({ roomName: room, active: true });
seen.active = active.map((one) => one.egressId).join() === egress.egressId;
await recorder.stopEgress(egress.egressId);
seen['no egress'] = await refused(recorder.stopEgress('EG_none'));
seen['no subscriber'] = await refused(lk.updateSubscriptions(room, 'nobody', [track], true));
// The SDK has no method for it yet, so the call goes through what all its methods use.
const call = async (to, method, payload) =>
  lk.rpc.request(
    'RoomService',
    'PerformRpc',
    { room, destinationIdentity: to, method, payload, responseTimeoutMs: 5000 },
    await lk.authHeader({ roomAdmin: true, room }),
  );
seen.rpc = (await call('ada', 'greet', 'you')).payload;
seen['rpc to nobody'] = await refused(call('nobody', 'greet', 'you'));
seen['rpc refused'] = await refused(call('ada', 'greet', 'refuse'));
seen['rpc unknown'] = await refused(call('ada', 'nothing', ''));
seen.muted = (await lk.mutePublishedTrack(room, 'ada', track, true)).muted;
seen['no track'] = await refused(lk.mutePublishedTrack(room, 'bob', track, true));
seen['no such room'] = await refused(lk.moveParticipant(room, 'bob', other));
await lk.createRoom({ name: other });
await lk.moveParticipant(room, 'bob', other);
for (let tries = 0; tries < 100; tries++) {
  seen.moved = names(await lk.listParticipants(other));
  if (seen.moved.join() === 'bob') break;
  await pause(100);
}
await lk.forwardParticipant(room, 'ada', other);
for (let tries = 0; tries < 100; tries++) {
  seen.forwarded = (await lk.listParticipants(other)).map((one) => [one.identity, one.tracks.length]).sort();
  if (seen.forwarded.some(([who, tracks]) => who === 'ada' && tracks === 1)) break;
  await pause(100);
}
// Time to hear them there.
await pause(3000);
seen['no one to forward'] = await refused(lk.forwardParticipant(room, 'nobody', other));
await lk.removeParticipant(room, 'ada');
seen.removed = await refused(lk.getParticipant(room, 'ada'));
console.log(JSON.stringify(seen));
