// As `hook.py`, with the SDK for Node. The SDK's folder is named by the first argument.
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';

const { WebhookReceiver } = createRequire(process.argv[2] + '/')('livekit-server-sdk');
const given = JSON.parse(readFileSync(0, 'utf8'));
const receiver = new WebhookReceiver(given.key, given.secret);
const seen = [];
const say = (what) => console.log(JSON.stringify(what));

const server = createServer(async (request, response) => {
  let body = '';
  for await (const part of request) body += part;
  const event = await receiver.receive(body, request.headers.authorization);
  seen.push(event.id);
  if (seen.length === 1) {
    response.writeHead(503).end();
    return;
  }
  const room = event.room?.name || event.egressInfo?.roomName || '';
  const again = seen.filter((id) => id === event.id).length > 1;
  say({ event: event.event, room, identity: event.participant?.identity ?? '', again });
  response.end();
});
server.listen(given.port, '127.0.0.1', () => say({ ready: true }));
