// The phone page: one channel to the switch that says how things stand, and the sound of one call. The
// sound's protocol is livekit-client's; what may be done is decided by the server, this only shows it.
const LK = globalThis.LivekitClient;
const $ = (id) => document.getElementById(id);
const main = $("main");
let socket = null;
let lines = [];
let room = null;
let mine = null;
let asked = 0;
let skew = 0;
let tries = 0;
const waiting = new Map();
const over = new Set();

const say = (text) => { $("said").textContent = text; };
const line = (shape, word) => { $("line").className = `st ${shape}`; $("line").textContent = word; };
const trouble = (code) => {
  const known = document.querySelector(`#troubles [data-code="${code}"]`) ?? document.querySelector('#troubles [data-code="our_fault"]');
  $("trouble-what").textContent = known.dataset.what;
  $("trouble-mend").textContent = known.dataset.mend;
  $("again").hidden = !("again" in known.dataset);
  $("trouble").dataset.code = code;
  $("trouble").hidden = false;
};
const calm = (...codes) => { if (!codes.length || codes.includes($("trouble").dataset.code)) $("trouble").hidden = true; };
$("dismiss").onclick = () => calm();
$("again").onclick = () => { calm(); speak(); };

// The channel. Whatever was missed comes with the next word: each says how everything stands.
const connect = () => {
  socket = new WebSocket(`${location.origin.replace(/^http/, "ws")}/phone/line`);
  socket.onopen = () => {
    tries = 0;
    line("ok", "Ready");
    calm("line_lost");
    if (mine && room) ask("claim", { call: mine }).catch(() => {});
  };
  socket.onmessage = (event) => hear(JSON.parse(event.data));
  socket.onclose = (event) => {
    for (const { refuse } of waiting.values()) refuse({ code: "line_lost" });
    waiting.clear();
    line("bad", "Not ringing");
    if (event.code === 4001 || event.code === 4002) {
      $("incoming").close();
      trouble(event.reason || "our_fault");
      if (event.reason !== "shutting_down") return;
    }
    tries += 1;
    if (tries > 2 && event.code !== 4002) trouble("line_lost");
    setTimeout(connect, Math.min(8000, 250 * 2 ** tries));
  };
};
const ask = (what, fields = {}) => new Promise((done, refuse) => {
  if (socket?.readyState !== WebSocket.OPEN) return refuse({ code: "line_lost" });
  asked += 1;
  waiting.set(asked, { done, refuse });
  socket.send(JSON.stringify({ n: asked, do: what, ...fields }));
});
const hear = (word) => {
  if (word.re) {
    const { done, refuse } = waiting.get(word.re) ?? {};
    waiting.delete(word.re);
    if (word.refused) refuse?.({ code: word.refused }); else done?.(word.ticket);
  } else if (word.ended) ended(word.ended, word.cause);
  else if (word.lines) {
    skew = Date.parse(word.at) - Date.now();
    lines = word.lines;
    show();
  }
};

// How things stand.
const named = (one) => one.name || one.number || "Somebody";
const words = { calling: "Calling", ringing: "Ringing", early: "Ringing", active: "In the call", held: "On hold" };
const show = () => {
  const incoming = lines.find((one) => one.state === "incoming");
  const talking = lines.find((one) => one.state !== "incoming");
  if (incoming && !talking) {
    $("incoming-who").textContent = named(incoming);
    $("incoming-what").textContent = incoming.name ? `${incoming.number} is calling` : "is calling";
    $("incoming").dataset.call = incoming.call;
    if (!$("incoming").open) { $("incoming").showModal(); say(`${named(incoming)} is calling.`); }
    document.title = `${named(incoming)} is calling`;
  } else {
    if ($("incoming").open) $("incoming").close();
    document.title = talking ? `${named(talking)} · Strowger` : "Phone · Strowger";
  }
  $("call").hidden = !talking;
  $("dial").disabled = Boolean(talking);
  if (talking) {
    const up = talking.state === "active" || talking.state === "held";
    $("call").dataset.state = talking.state;
    $("who").textContent = named(talking);
    $("state").textContent = words[talking.state];
    $("elsewhere").hidden = talking.here;
    for (const id of ["mute", "hold", "pass"]) $(id).hidden = !talking.here || !up;
    $("record").hidden = !("records" in main.dataset) || !talking.here || !up || !globalThis.MediaRecorder;
    $("hold").setAttribute("aria-pressed", talking.state === "held");
    $("timer").hidden = !up;
    tick();
  } else $("handover").hidden = true;
  ring(incoming && !talking ? "ring" : talking?.here && talking.state === "ringing" ? "ringback" : "");
  if (mine && !lines.some((one) => one.call === mine && one.state !== "incoming")) leave();
};
const tick = () => {
  const talking = lines.find((one) => one.answered_at);
  if (!talking) return;
  const seconds = Math.max(0, Math.floor((Date.now() + skew - Date.parse(talking.answered_at)) / 1000));
  const two = (value) => `${value}`.padStart(2, "0");
  $("time").textContent = seconds < 3600 ? `${Math.floor(seconds / 60)}:${two(seconds % 60)}` : `${Math.floor(seconds / 3600)}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
};
setInterval(tick, 250);
const ended = (call, cause) => {
  over.add(call);
  const known = document.querySelector(`#endings [data-code="${cause}"]`);
  $("last").textContent = known ? known.dataset.what : "";
  say(`The call is over. ${$("last").textContent}`);
  if (call === mine) leave();
};

// The sound of a call.
const leave = () => {
  mine = null;
  take?.end();
  const was = room;
  room = null;
  $("sounds").replaceChildren();
  $("mute").setAttribute("aria-pressed", false);
  was?.disconnect();
};
const enter = async (ticket) => {
  if (!ticket || over.has(ticket.call)) return;
  mine = ticket.call;
  const options = { stopLocalTrackOnUnpublish: true };
  if ($("mics").value) options.audioCaptureDefaults = { deviceId: $("mics").value };
  if ($("speakers").value) options.audioOutput = { deviceId: $("speakers").value };
  const made = new LK.Room(options);
  room = made;
  const on = (event, act) => made.on(LK.RoomEvent[event], (...given) => { if (room === made) act(...given); });
  on("TrackSubscribed", (track) => { if (track.kind === "audio") { const part = track.attach(); part.volume = $("volume").value / 100; $("sounds").append(part); take?.hear(track); } });
  on("LocalTrackPublished", (publication) => take?.hear(publication.track));
  on("TrackUnsubscribed", (track) => track.detach().forEach((part) => part.remove()));
  on("Reconnecting", () => { line("warn", "Reconnecting"); say("The connection broke; it is being mended."); });
  on("Reconnected", () => { line("ok", "Ready"); say("Connected again."); });
  on("AudioPlaybackStatusChanged", () => { if (!made.canPlaybackAudio) addEventListener("click", () => made.startAudio(), { once: true }); });
  on("MediaDevicesError", (error) => deviceTrouble(error));
  on("Disconnected", (reason) => {
    const why = LK.DisconnectReason?.[reason] ?? "";
    if (["ROOM_DELETED", "ROOM_CLOSED", "CLIENT_INITIATED"].includes(why)) return;
    trouble("cut_off");
    ask("hangup", { call: ticket.call }).catch(() => {});
  });
  try {
    await made.connect(location.origin.replace(/^http/, "ws"), ticket.token);
  } catch (error) {
    if (room !== made) return;
    failed(error);
    return ask("hangup", { call: ticket.call }).catch(() => {});
  }
  if (room === made) await speak();
};
const speak = async () => {
  if (!room) return;
  try {
    await room.localParticipant.setMicrophoneEnabled(true);
    await devices();
  } catch (error) {
    deviceTrouble(error);
  }
};
const deviceTrouble = (error) => {
  if (!navigator.mediaDevices?.getUserMedia) return trouble("insecure");
  const codes = { NotAllowedError: "mic_refused", SecurityError: "mic_refused", NotFoundError: "mic_missing", OverconstrainedError: "mic_missing" };
  trouble(codes[error?.name] ?? "mic_busy");
};
const failed = (error) => {
  const reason = LK.ConnectionErrorReason?.[error?.reason] ?? "";
  const text = `${error?.message ?? error}`;
  if (/expired/i.test(text) || reason === "NotAllowed") return trouble("token_expired");
  if (/pc connection|ice|peer connection|timed? ?out/i.test(text) && !/signal/i.test(text)) return trouble("ice_failed");
  trouble(reason === "ServerUnreachable" || reason === "WebSocket" ? "signal_lost" : "ice_failed");
};
const devices = async () => {
  const list = await navigator.mediaDevices.enumerateDevices();
  for (const [kind, select] of [["audioinput", "mics"], ["audiooutput", "speakers"]]) {
    const found = list.filter((device) => device.kind === kind && device.deviceId && device.label);
    if (!found.length) continue;
    const before = $(select).value;
    $(select).replaceChildren(...found.map((device) => new Option(device.label, device.deviceId)));
    if (found.some((device) => device.deviceId === before)) $(select).value = before;
  }
};
$("mics").onchange = () => room?.switchActiveDevice("audioinput", $("mics").value).catch(deviceTrouble);
$("speakers").onchange = () => room?.switchActiveDevice("audiooutput", $("speakers").value).catch(() => {});
$("volume").oninput = () => { for (const part of $("sounds").children) part.volume = $("volume").value / 100; };

// A recording of one's own, where the settings take it: oneself on the left, the others on the right. It is sent
// when it is over, in pieces, and goes on where it stood after a cut.
const PIECE = 256 * 1024;
const PATIENCE = 30 * 60 * 1000;
let take = null;
let unsent = 0;
const record = () => {
  const kinds = { "audio/webm;codecs=opus": "webm", "audio/ogg;codecs=opus": "ogg", "audio/mp4": "m4a" };
  const kind = Object.keys(kinds).find((one) => MediaRecorder.isTypeSupported(one));
  if (!kind || !mine || !room) return trouble("no_record");
  const call = mine;
  const context = new AudioContext();
  const into = new MediaStreamAudioDestinationNode(context, { channelCount: 2, channelCountMode: "explicit" });
  const sides = new ChannelMergerNode(context, { numberOfInputs: 2 });
  sides.connect(into);
  const own = LK.Track.Source.Microphone;
  const hear = (track) => {
    if (track?.kind !== "audio") return;
    const isOwn = track === room?.localParticipant.getTrackPublication(own)?.track;
    new MediaStreamAudioSourceNode(context, { mediaStream: new MediaStream([track.mediaStreamTrack]) }).connect(sides, 0, isOwn ? 0 : 1);
    // Another microphone is another sound.
    if (isOwn) track.once?.("restarted", () => hear(track));
  };
  hear(room.localParticipant.getTrackPublication(own)?.track);
  for (const who of room.remoteParticipants.values()) for (const one of who.audioTrackPublications.values()) hear(one.track);
  const recorder = new MediaRecorder(into.stream, { mimeType: kind, audioBitsPerSecond: 64000 });
  const parts = [];
  recorder.ondataavailable = (event) => parts.push(event.data);
  recorder.onstop = () => {
    context.close();
    const sound = new Blob(parts);
    if (sound.size) send(sound, call, `call.${kinds[kind]}`); else trouble("no_record");
  };
  recorder.start(1000);
  const show = (is) => { $("record").setAttribute("aria-pressed", is); $("record").textContent = is ? "Stop recording" : "Record here"; $("rec").hidden = !is; };
  take = { hear, end: () => { take = null; show(false); say("The recording has stopped."); recorder.stop(); } };
  show(true);
  say("You record this call.");
};
const kept = (text) => { $("kept").textContent = text; };
const tus = (method, where, headers = {}, body = undefined) => fetch(where, { method, body, headers: { "tus-resumable": "1.0.0", "x-csrf-token": main.dataset.csrf, ...headers } });
const coded = (text) => btoa(String.fromCharCode(...new TextEncoder().encode(text)));
// Where it goes; nothing: not yet. A call's row may come a moment after its end.
const place = async (sound, call, name) => {
  const answer = await tus("POST", "/api/uploads", { "upload-length": sound.size, "upload-metadata": `filename ${coded(name)},call_id ${coded(call)}` });
  if (answer.status === 201) return answer.headers.get("location");
  const codes = { 401: "signed_out", 403: "signed_out", 409: "no_record", 413: "record_too_large" };
  if (codes[answer.status]) throw { code: codes[answer.status] };
  return "";
};
const stands = async (where) => {
  const answer = await tus("HEAD", where);
  if (!answer.ok) throw answer.status === 401 ? { code: "signed_out" } : new Error(`${answer.status}`);
  return Number(answer.headers.get("upload-offset"));
};
const send = async (sound, call, name) => {
  const until = Date.now() + PATIENCE;
  let [where, from, pause] = ["", 0, 500];
  unsent += 1;
  kept("The recording is being sent.");
  while (from < sound.size) {
    try {
      if (!where) where = await place(sound, call, name);
      if (where) from = await stands(where);
      while (where && from < sound.size) {
        const answer = await tus("PATCH", where, { "upload-offset": from, "content-type": "application/offset+octet-stream" }, sound.slice(from, from + PIECE));
        if (!answer.ok) throw new Error(`${answer.status}`);
        from = Number(answer.headers.get("upload-offset"));
        pause = 500;
        kept(`${Math.floor(from / sound.size * 100)} % of the recording are sent.`);
      }
    } catch (error) {
      if (error?.code || Date.now() > until) { unsent -= 1; kept(""); return trouble(error?.code ?? "record_unsent"); }
      kept("The connection broke; the recording is sent on when it is back.");
    }
    if (from < sound.size) await new Promise((done) => setTimeout(done, pause));
    pause = Math.min(15000, pause * 2);
  }
  unsent -= 1;
  kept("The recording is with the call.");
};

// What is heard before anybody talks: one's own bell, or that it rings over there (ITU-T E.180).
let bell = null;
const ring = (what) => {
  if ((bell?.what ?? "") === what) return;
  bell?.stop();
  bell = null;
  if (!what) return;
  const context = new AudioContext();
  const tone = new OscillatorNode(context, { frequency: what === "ring" ? 660 : 425 });
  const volume = new GainNode(context, { gain: 0 });
  tone.connect(volume).connect(context.destination);
  tone.start();
  const beat = () => {
    const now = context.currentTime;
    volume.gain.setValueAtTime(what === "ring" ? 0.15 : 0.05, now);
    volume.gain.setValueAtTime(0, now + 1);
  };
  beat();
  const timer = setInterval(beat, what === "ring" ? 3000 : 5000);
  bell = { what, stop: () => { clearInterval(timer); context.close(); } };
};

// What people do.
const act = async (what, fields) => {
  try { return await ask(what, fields); } catch (error) { trouble(error?.code ?? "our_fault"); }
};
const talking = () => lines.find((one) => one.state !== "incoming");
$("dialer").onsubmit = async (event) => {
  event.preventDefault();
  const to = $("to").value.trim();
  if (!to || talking()) return;
  calm();
  $("last").textContent = "";
  await enter(await act("dial", { to }));
};
$("accept").onclick = async () => {
  calm();
  $("last").textContent = "";
  await enter(await act("accept", { call: $("incoming").dataset.call }));
};
$("reject").onclick = () => act("reject", { call: $("incoming").dataset.call });
$("incoming").oncancel = (event) => event.preventDefault();
$("hangup").onclick = () => { const one = talking(); if (one) act("hangup", { call: one.call }); };
$("mute").onclick = async () => {
  if (!room) return;
  const on = room.localParticipant.isMicrophoneEnabled;
  try { await room.localParticipant.setMicrophoneEnabled(!on); } catch (error) { return deviceTrouble(error); }
  $("mute").setAttribute("aria-pressed", on);
  say(on ? "You are muted." : "You are heard again.");
};
$("hold").onclick = () => { const one = talking(); if (one) act(one.state === "held" ? "resume" : "hold", { call: one.call }); };
$("record").onclick = () => { if (take) take.end(); else record(); };
$("pass").onclick = () => {
  $("handover").hidden = !$("handover").hidden;
  $("pass").setAttribute("aria-expanded", !$("handover").hidden);
  if (!$("handover").hidden) $("handover-to").focus();
};
$("handover").onsubmit = (event) => {
  event.preventDefault();
  const one = talking();
  if (one) act("transfer", { call: one.call, to: $("handover-to").value.trim() });
};
const press = (key) => {
  const one = talking();
  if (one?.here) act("keys", { call: one.call, keys: key }); else $("to").value += key;
};
for (const part of document.querySelectorAll("[data-key]")) part.onclick = () => press(part.dataset.key);
addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input,textarea,select,dialog")) return;
  if (talking() && /^[0-9*#]$/.test(event.key)) { event.preventDefault(); return press(event.key); }
  const id = { m: "mute", h: "hold" }[event.key];
  if (id && talking() && !$(id).hidden) { event.preventDefault(); $(id).click(); }
});
// What is not yet sent goes with the page: the browser asks before it is closed.
addEventListener("beforeunload", (event) => { if (take || unsent) event.preventDefault(); });
addEventListener("pagehide", () => {
  if (mine && socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ n: 0, do: "hangup", call: mine }));
  room?.disconnect();
});
if (main.dataset.trouble) { line("bad", "Not ringing"); trouble(main.dataset.trouble); }
else if (!LK) trouble("our_fault");
else {
  if (!navigator.mediaDevices?.getUserMedia) trouble("insecure");
  connect();
}
globalThis.phone = { get room() { return room; }, get lines() { return lines; } };
