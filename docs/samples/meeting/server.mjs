// The sample's own back end. It holds the API token, which must never reach a browser, and does two things: it hands
// out the page, and it asks Strowger for a token to one room for whoever it lets in. Node alone runs it.
//
// Environment: STROWGER_URL (https://calls.example.com), STROWGER_API_TOKEN (swt_…), PORT (3000 when absent), and DIST,
// the folder of the built page (dist when absent).

import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const { STROWGER_URL, STROWGER_API_TOKEN, PORT = "3000" } = process.env;
if (!STROWGER_URL || !STROWGER_API_TOKEN) {
  console.error("Set STROWGER_URL and STROWGER_API_TOKEN (Govern, API tokens; the role User is enough).");
  process.exit(1);
}
const here = fileURLToPath(new URL(".", import.meta.url));
const dist = process.env.DIST ?? join(here, "dist");

// Everything this server has to give; a path that is not here does not exist.
const pages = new Map([
  ["/", [join(here, "index.html"), "text/html; charset=utf-8"]],
  ["/dist/main.js", [join(dist, "main.js"), "text/javascript; charset=utf-8"]],
  ["/dist/main.css", [join(dist, "main.css"), "text/css; charset=utf-8"]],
]);

const BODY_LIMIT = 4096;

async function body(request) {
  let text = "";
  for await (const part of request) {
    text += part;
    if (text.length > BODY_LIMIT) throw new Error("the request is too long");
  }
  return JSON.parse(text);
}

// Who may join which room is for your product to decide, here: by its own session, not by what a browser says.
async function token(request, response) {
  const { room, name } = await body(request);
  const answer = await fetch(new URL("/api/livekit/token", STROWGER_URL), {
    method: "POST",
    headers: { authorization: `Bearer ${STROWGER_API_TOKEN}`, "content-type": "application/json" },
    body: JSON.stringify({ roomName: room, participantName: name }),
  });
  const said = await answer.json();
  // A refusal is a problem (RFC 9457): its detail is a sentence for people.
  const told = answer.ok ? { token: said.token, wsUrl: said.wsUrl } : { problem: said.detail ?? said.title };
  response.writeHead(answer.status, { "content-type": "application/json", "cache-control": "no-store" });
  response.end(JSON.stringify(told));
}

const server = createServer(async (request, response) => {
  try {
    if (request.method === "POST" && request.url === "/token") return await token(request, response);
    const page = request.method === "GET" && pages.get(request.url);
    if (!page) return response.writeHead(404).end();
    const [path, type] = page;
    const content = await readFile(path);
    response.writeHead(200, { "content-type": type }).end(content);
  } catch (problem) {
    console.error(problem);
    if (!response.headersSent) response.writeHead(502, { "content-type": "application/json" });
    response.end(JSON.stringify({ problem: "The meeting cannot be reached." }));
  }
});
server.listen(Number(PORT), "127.0.0.1", () => console.log(`http://127.0.0.1:${server.address().port}/`));
