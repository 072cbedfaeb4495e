// The meeting page: the door with its mirror, the room, and what is said when something fails. The
// protocol is livekit-client's; who may do what is decided by the server, this only shows it.
const LK = globalThis.LivekitClient;
const $ = (id) => document.getElementById(id);
const main = $("main");
const at = main.dataset.at;
const guest = "guest" in main.dataset;
const passKey = `pass ${at}`;
let room = null;
let ticket = null;
let mirror = null;
let leaving = false;
let since = 0;
const hands = new Set();
let before = null;

const post = async (what, fields = {}) => {
  const headers = { "content-type": "application/x-www-form-urlencoded", "x-csrf-token": main.dataset.csrf };
  const answer = await fetch(`${at}/${what}`, { method: "POST", headers, body: new URLSearchParams(fields) });
  if (answer.status === 410) throw { code: "link_gone" };
  if (answer.redirected || answer.status === 401) throw { code: "signed_out" };
  if (!answer.ok) throw { code: answer.status === 403 ? "not_allowed" : "our_fault" };
  return answer.json();
};
const say = (text) => { $("said").textContent = text; };
const element = (tag, text = "", kind = "") => {
  const made = document.createElement(tag);
  made.textContent = text;
  if (kind) made.className = kind;
  return made;
};
const icon = (name) => {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("class", "ico");
  svg.setAttribute("aria-hidden", "true");
  svg.append(document.createElementNS(space, "use"));
  svg.firstChild.setAttribute("href", `#i-${name}`);
  return svg;
};
const view = (name) => {
  main.dataset.view = name;
  for (const part of ["door", "wait", "bye", "room"]) $(part).hidden = part !== name;
  for (const part of ["controls", "timer", "line"]) $(part).hidden = name !== "room";
};

// Trouble: the server's list says for each code what happened and what mends it.
const trouble = (code, why = "") => {
  const known = document.querySelector(`#troubles [data-code="${code}"]`) ?? document.querySelector('#troubles [data-code="our_fault"]');
  $("trouble-what").textContent = known.dataset.what;
  $("trouble-why").textContent = why;
  $("trouble-mend").textContent = known.dataset.mend;
  $("again").hidden = !("again" in known.dataset);
  $("trouble").dataset.code = code;
  $("trouble").hidden = false;
};
const calm = () => { $("trouble").hidden = true; };
$("dismiss").onclick = calm;
$("again").onclick = () => { calm(); if (room) room.disconnect(); enter(); };
const deviceTrouble = (error, what) => {
  const codes = { NotAllowedError: "refused", SecurityError: "refused", NotFoundError: "missing", OverconstrainedError: "missing", NotReadableError: "busy", AbortError: "busy" };
  trouble(`${what}_${codes[error?.name] ?? "busy"}`);
};

// The door: camera, microphone and how loud one is.
const stopMirror = () => {
  mirror?.getTracks().forEach((track) => track.stop());
  mirror = null;
  $("preview").srcObject = null;
  $("nocam").hidden = false;
};
const chosen = (id) => ($(id).value ? { deviceId: { exact: $(id).value } } : true);
const look = async () => {
  stopMirror();
  if (!navigator.mediaDevices?.getUserMedia) return trouble("insecure");
  const stream = new MediaStream();
  for (const [kind, box, select] of [["audio", "with-mic", "mics"], ["video", "with-cam", "cams"]]) {
    if (!$(box).checked) continue;
    try {
      const got = await navigator.mediaDevices.getUserMedia({ [kind]: chosen(select) });
      got.getTracks().forEach((track) => stream.addTrack(track));
    } catch (error) {
      $(box).checked = false;
      deviceTrouble(error, kind === "audio" ? "mic" : "cam");
    }
  }
  mirror = stream;
  $("nocam").hidden = stream.getVideoTracks().length > 0;
  if (stream.getVideoTracks().length) $("preview").srcObject = stream;
  if (stream.getAudioTracks().length) meter(stream);
  await names();
};
const names = async () => {
  const devices = await navigator.mediaDevices.enumerateDevices();
  for (const [kind, select] of [["audioinput", "mics"], ["videoinput", "cams"]]) {
    const list = devices.filter((device) => device.kind === kind && device.deviceId && device.label);
    if (!list.length) continue;
    const before = $(select).value;
    $(select).replaceChildren(...list.map((device) => new Option(device.label, device.deviceId)));
    if (list.some((device) => device.deviceId === before)) $(select).value = before;
  }
};
const meter = (stream) => {
  const context = new AudioContext();
  const analyser = context.createAnalyser();
  context.createMediaStreamSource(stream).connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  const draw = () => {
    if (mirror !== stream) { $("level").style.scale = "0 1"; context.close(); return; }
    analyser.getFloatTimeDomainData(samples);
    const power = Math.sqrt(samples.reduce((sum, value) => sum + value * value, 0) / samples.length);
    const level = Math.min(1, Math.max(0, 1 + Math.log10(power + 1e-6) / 3));
    $("level").style.scale = `${level} 1`;
    if (level > 0.45) $("heard").textContent = "Your microphone is heard.";
    requestAnimationFrame(draw);
  };
  draw();
};
for (const id of ["with-mic", "with-cam", "mics", "cams"]) $(id).onchange = () => { calm(); look(); };

// Coming in.
$("door").onsubmit = (event) => { event.preventDefault(); enter(); };
$("rejoin").onclick = () => enter();
const enter = async () => {
  calm();
  $("join").disabled = true;
  try {
    const fields = guest ? { name: $("name").value, pass: sessionStorage.getItem(passKey) ?? "" } : {};
    await answered(await post("enter", fields));
  } catch (error) {
    view("door");
    trouble(error?.code ?? "signal_lost");
  } finally {
    $("join").disabled = false;
  }
};
const answered = async (answer) => {
  if (answer.pass) sessionStorage.setItem(passKey, answer.pass);
  if (answer.state === "waiting") {
    view("wait");
    say("You are waiting to be let in.");
    return setTimeout(ask, 1500);
  }
  if (answer.state !== "open") {
    view("door");
    if (answer.code === "turned_away" || answer.code === "link_gone") sessionStorage.removeItem(passKey);
    return trouble(answer.code, answer.why);
  }
  ticket = answer;
  await connect();
};
const ask = async () => {
  if (main.dataset.view !== "wait") return;
  try {
    await answered(await post("wait", { pass: sessionStorage.getItem(passKey) ?? "" }));
  } catch (error) {
    if (error?.code) { view("door"); trouble(error.code); } else setTimeout(ask, 4000);
  }
};
$("unwait").onclick = () => { view("door"); post("unwait", { pass: sessionStorage.getItem(passKey) ?? "" }).catch(() => {}); };

const connect = async () => {
  const options = { adaptiveStream: true, dynacast: true, stopLocalTrackOnUnpublish: true };
  if ($("mics").value) options.audioCaptureDefaults = { deviceId: $("mics").value };
  if ($("cams").value) options.videoCaptureDefaults = { deviceId: $("cams").value };
  const [mic, cam] = [$("with-mic").checked, $("with-cam").checked];
  stopMirror();
  leaving = false;
  hands.clear();
  room = new LK.Room(options);
  listen(room);
  try {
    await room.connect(location.origin.replace(/^http/, "ws"), ticket.token);
  } catch (error) {
    return failed(error);
  }
  since = Date.now();
  before = null;
  view("room");
  tools();
  redraw();
  say(`You are in ${document.querySelector("h1").textContent}.`);
  watch();
  if (mic) await publish("Microphone", true);
  if (cam) await publish("Camera", true);
};
// Why there is no connection: the signalling's word, or that no media came through.
const failed = (error) => {
  view("door");
  look();
  const reason = LK.ConnectionErrorReason?.[error?.reason] ?? "";
  const text = `${error?.message ?? error}`;
  if (/expired/i.test(text)) return trouble("token_expired");
  if (/locked/i.test(text)) return trouble("room_locked");
  if (/full/i.test(text)) return trouble("room_full");
  if (reason === "NotAllowed") return trouble("token_expired");
  if (/pc connection|ice|peer connection|timed? ?out/i.test(text) && !/signal/i.test(text)) return trouble("ice_failed");
  trouble(reason === "ServerUnreachable" || reason === "WebSocket" ? "signal_lost" : "ice_failed", "");
};
const publish = async (source, on) => {
  try {
    await room.localParticipant[`set${source}Enabled`](on);
    // What was in the way is not any more.
    if ($("trouble").dataset.code?.startsWith({ Microphone: "mic_", Camera: "cam_", ScreenShare: "share_" }[source])) calm();
  } catch (error) {
    if (source === "ScreenShare" && error?.name === "NotAllowedError") return;
    deviceTrouble(error, { Microphone: "mic", Camera: "cam", ScreenShare: "share" }[source]);
  }
  redraw();
};

// The room.
const named = (who) => who.name || who.identity;
// A phone that is called in is seen before it answers.
const called = (who) => ({ dialing: " · calling", ringing: " · ringing" })[who.attributes?.["sip.callStatus"]] ?? "";
const role = (who) => who.attributes?.role ?? "";
const listen = (room) => {
  const on = (event, act) => room.on(LK.RoomEvent[event], act);
  for (const event of ["TrackMuted", "TrackUnmuted", "TrackPublished", "TrackUnpublished", "LocalTrackPublished", "LocalTrackUnpublished", "ParticipantNameChanged", "ParticipantAttributesChanged", "RoomMetadataChanged", "ConnectionQualityChanged"]) on(event, () => redraw());
  on("ParticipantConnected", (who) => { say(`${named(who)} is here.`); if (hands.has(room.localParticipant.identity)) raise(true); redraw(); });
  on("ParticipantDisconnected", (who) => { say(`${named(who)} has left.`); hands.delete(who.identity); redraw(); });
  on("TrackSubscribed", (track) => { if (track.kind === "audio") $("sounds").append(track.attach()); redraw(); });
  on("TrackUnsubscribed", (track) => { track.detach().forEach((part) => part.remove()); redraw(); });
  on("ActiveSpeakersChanged", (speakers) => {
    const speaking = new Set(speakers.map((who) => who.identity));
    for (const tile of $("tiles").children) tile.classList.toggle("speaks", speaking.has(tile.dataset.who) && tile.dataset.kind === "camera");
  });
  on("TrackMuted", (publication, who) => { if (who.isLocal && publication.isMuted && !publication.ours) say("Your microphone or camera is off."); });
  on("RecordingStatusChanged", (is) => { say(is ? "The meeting is being recorded." : "The recording has stopped."); redraw(); });
  on("Reconnecting", () => { line("warn", "Reconnecting"); say("The connection broke; it is being mended."); });
  on("SignalReconnecting", () => line("warn", "Reconnecting"));
  on("Reconnected", () => { line("ok", "Connected"); say("Connected again."); calm(); });
  on("MediaDevicesError", (error) => deviceTrouble(error, "mic"));
  on("AudioPlaybackStatusChanged", () => { if (!room.canPlaybackAudio) addEventListener("click", () => room.startAudio(), { once: true }); });
  on("DataReceived", (bytes, who, _kind, topic) => { if (topic === "hand" && who) { new TextDecoder().decode(bytes) === "up" ? hands.add(who.identity) : hands.delete(who.identity); redraw(); } });
  on("Disconnected", (reason) => over(reason));
  room.registerTextStreamHandler("lk.chat", async (reader, who) => write(room.getParticipantByIdentity?.(who.identity) ?? who, await reader.readAll()));
};
const over = async (reason) => {
  stopWatching();
  $("sounds").replaceChildren();
  $("tiles").replaceChildren();
  $("panel").hidden = true;
  if (main.dataset.view !== "room") return;
  const why = LK.DisconnectReason?.[reason] ?? "";
  view("bye");
  const codes = { PARTICIPANT_REMOVED: "removed", ROOM_DELETED: "room_ended", ROOM_CLOSED: "room_ended", DUPLICATE_IDENTITY: "other_tab", SERVER_SHUTDOWN: "restarting" };
  bye(leaving ? "" : (codes[why] ?? "cut_off"));
  // Who was away is not told why: the machine is asked.
  if (leaving || codes[why]) return;
  const code = await whyNot();
  if (main.dataset.view === "bye" && code) { calm(); bye(code); }
};
const bye = (code) => {
  const known = document.querySelector(`#troubles [data-code="${code}"]`)?.dataset;
  $("bye-what").textContent = code === "cut_off" ? "You are cut off" : (known?.what ?? "You have left");
  $("bye-why").textContent = code === "cut_off" ? "" : (known?.mend ?? "");
  $("rejoin").textContent = ["room_ended", "ended_away"].includes(code) ? "Open it again" : "Join again";
  if (code === "cut_off") trouble("cut_off");
  $("rejoin").focus();
};
// Why the entry that was good before is not any more.
const whyNot = async () => {
  try {
    const answer = await fetch("/rtc/v1/validate", { headers: { authorization: `Bearer ${ticket.token}` } });
    if (answer.status === 401) return "token_expired";
    return answer.status === 403 && /ended/.test(await answer.text()) ? "ended_away" : "";
  } catch { return ""; }
};
const line = (shape, word) => { $("line").className = `st ${shape}`; $("line").textContent = word; };

const redraw = () => {
  if (!room || main.dataset.view !== "room") return;
  const everybody = [room.localParticipant, ...room.remoteParticipants.values()];
  const wanted = [];
  for (const who of everybody) {
    wanted.push([who, "camera", who.getTrackPublication(LK.Track.Source.Camera)]);
    const screen = who.getTrackPublication(LK.Track.Source.ScreenShare);
    if (screen) wanted.push([who, "screen", screen]);
  }
  const keys = new Set(wanted.map(([who, kind]) => `${kind} ${who.identity}`));
  for (const tile of [...$("tiles").children]) if (!keys.has(tile.dataset.key)) tile.remove();
  for (const [who, kind, publication] of wanted) draw(who, kind, publication);
  const cameras = wanted.filter(([, kind]) => kind === "camera").length;
  const narrow = matchMedia("(width<48rem)").matches;
  $("tiles").style.setProperty("--cols", narrow ? (cameras > 3 ? 2 : 1) : Math.ceil(Math.sqrt(cameras)));
  $("count").textContent = everybody.length;
  $("folk").replaceChildren(...everybody.map(person));
  const me = room.localParticipant;
  for (const [id, is] of [["mic", me.isMicrophoneEnabled], ["cam", me.isCameraEnabled], ["share", me.isScreenShareEnabled], ["hand", hands.has(me.identity)]]) $(id).setAttribute("aria-pressed", is);
  $("rec").hidden = !room.isRecording;
  $("record").setAttribute("aria-pressed", room.isRecording);
  $("record").textContent = room.isRecording ? "Stop recording" : "Record";
  if ($("line").textContent !== "Reconnecting" && !(before?.still >= 3)) {
    const words = { excellent: ["ok", "Good line"], good: ["ok", "Good line"], poor: ["warn", "Weak line"], lost: ["bad", "Line lost"] };
    const word = before?.weak && me.connectionQuality !== "lost" ? "poor" : me.connectionQuality;
    line(...(words[word] ?? ["idle", "Connected"]));
  }
};
const draw = (who, kind, publication) => {
  const key = `${kind} ${who.identity}`;
  let tile = [...$("tiles").children].find((part) => part.dataset.key === key);
  if (!tile) {
    tile = element("li", "", `tile ${kind}${who.isLocal ? " mine" : ""}`);
    Object.assign(tile.dataset, { key, kind, who: who.identity });
    $("tiles").append(tile);
  }
  const track = publication && !publication.isMuted ? publication.track : null;
  const video = tile.querySelector("video");
  if (video && video.trackSid !== (track?.sid ?? "")) video.remove();
  if (track && !tile.querySelector("video")) {
    const made = track.attach();
    made.trackSid = track.sid ?? "";
    made.setAttribute("aria-label", kind === "screen" ? `Screen of ${named(who)}` : `Camera of ${named(who)}`);
    tile.prepend(made);
  }
  const initials = named(who).split(/\s+/).map((part) => part[0]).slice(0, 2).join("").toUpperCase();
  let face = tile.querySelector(".face");
  if (!track && !face) { face = element("p", initials, "face"); face.setAttribute("aria-hidden", "true"); tile.prepend(face); }
  if (track) face?.remove(); else if (face) face.textContent = initials;
  tile.querySelector(".tag")?.remove();
  tile.querySelector(".raised")?.remove();
  const tag = element("p", "", "tag");
  const muted = !who.isMicrophoneEnabled;
  if (kind === "camera" && muted) { const off = element("span", "muted", "off"); tag.append(off); }
  tag.append(element("b", kind === "screen" ? `${named(who)}’s screen` : who.isLocal ? `${named(who)} (you)` : `${named(who)}${called(who)}`), quality(who));
  tile.append(tag);
  if (kind === "camera" && hands.has(who.identity)) tile.append(element("p", "Hand up", "raised"));
};
const quality = (who) => {
  const words = { excellent: "excellent line", good: "good line", poor: "weak line", lost: "line lost" };
  const bars = element("span", "", "bars");
  bars.dataset.q = who.connectionQuality;
  bars.setAttribute("role", "img");
  bars.setAttribute("aria-label", words[who.connectionQuality] ?? "line not measured yet");
  bars.append(element("i"), element("i"), element("i"));
  return bars;
};
const may = (act) => ticket?.acts?.includes(act);
const person = (who) => {
  const row = element("li");
  row.dataset.who = who.identity;
  const text = element("div");
  text.append(element("b", who.isLocal ? `${named(who)} (you)` : `${named(who)}${called(who)}`), " ");
  const facts = [];
  if (who.kind === LK.ParticipantKind?.SIP) facts.push("phone");
  if (role(who) && role(who) !== "participant") facts.push(role(who));
  facts.push(who.isMicrophoneEnabled ? "microphone on" : "muted");
  if (hands.has(who.identity)) facts.push("hand up");
  // A phone whose person was asked before they are recorded.
  if (who.attributes?.["strowger.unrecorded"]) facts.push({ refused: "does not agree to be recorded", unanswered: "not recorded: did not answer the question" }[who.attributes["strowger.unrecorded"]] ?? "not recorded: could not be told");
  text.append(element("small", facts.join(", ")));
  row.append(text, quality(who));
  if (!who.isLocal && (may("mute") || may("remove"))) {
    const buttons = element("div", "", "row");
    const track = who.getTrackPublication(LK.Track.Source.Microphone);
    if (may("mute") && track && !track.isMuted) buttons.append(button("Mute", named(who), () => act("mute", { who: who.identity, track: track.trackSid })));
    if (may("remove")) buttons.append(button("Remove", named(who), () => act("remove", { who: who.identity })));
    row.append(buttons);
  }
  return row;
};
const button = (word, about, press) => {
  const made = element("button", word);
  made.type = "button";
  made.append(element("span", ` ${about}`, "hide"));
  made.onclick = press;
  return made;
};
const tools = () => {
  const steers = may("mute") || may("lock") || may("end");
  $("tools").hidden = !steers;
  for (const part of document.querySelectorAll("[data-act]")) part.hidden = !may(part.dataset.act === "mute_all" ? "mute" : part.dataset.act);
  $("dial").hidden = !may("dial");
};
const act = async (what, fields = {}) => {
  try {
    const answer = await post("act", { act: what, ...fields });
    if (answer.code) return trouble(answer.code, answer.why);
    say(answer.said ?? "Done.");
  } catch (error) {
    trouble(error?.code ?? "signal_lost");
  }
};
for (const part of document.querySelectorAll("[data-act]")) {
  part.onclick = () => {
    if (part.dataset.act === "end") return $("sure").showModal();
    if (part.dataset.act === "lock") return act(part.getAttribute("aria-pressed") === "true" ? "unlock" : "lock");
    if (part.dataset.act === "record") return act(room.isRecording ? "record_stop" : "record");
    act(part.dataset.act);
  };
}
$("sure-yes").onclick = () => { $("sure").close(); act("end"); };
$("sure-no").onclick = () => $("sure").close();
$("dial").onsubmit = (event) => { event.preventDefault(); act("dial", { number: $("number").value }); };

// What only those who steer are told: who waits, and the lock.
let source = null;
let beat = 0;
const watch = () => {
  beat = setInterval(() => {
    const seconds = Math.floor((Date.now() - since) / 1000);
    const two = (value) => `${value}`.padStart(2, "0");
    $("time").textContent = seconds < 3600 ? `${Math.floor(seconds / 60)}:${two(seconds % 60)}` : `${Math.floor(seconds / 3600)}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
    if (seconds % 2 === 0) figures();
  }, 1000);
  if (!may("admit")) return;
  source = new EventSource(`${at}/events`);
  source.addEventListener("room", (event) => {
    const told = JSON.parse(event.data);
    $("lock").setAttribute("aria-pressed", told.locked);
    $("lock").textContent = told.locked ? "Unlock the room" : "Lock the room";
    $("lockmark").hidden = !told.locked;
    if (told.waiting.length > $("knocks").children.length) say(`${told.waiting.at(-1).name} waits to be let in.`);
    $("waiting").hidden = !told.waiting.length;
    $("knocking").hidden = !told.waiting.length;
    $("knocking").textContent = told.waiting.length;
    $("knocks").replaceChildren(...told.waiting.map(({ identity, name }) => {
      const row = element("li");
      const buttons = element("div", "", "row");
      buttons.append(button("Let in", name, () => act("admit", { who: identity })), button("Turn away", name, () => act("deny", { who: identity })));
      row.append(element("b", name), buttons);
      return row;
    }));
  });
};
const stopWatching = () => { clearInterval(beat); source?.close(); source = null; $("lockmark").hidden = true; $("rec").hidden = true; };

// The line's figures: what arrives here, between two looks.
const figures = async () => {
  const tracks = [...room.remoteParticipants.values()].flatMap((who) => [...who.audioTrackPublications.values()]).map((one) => one.track).filter(Boolean);
  let [got, lost, jitter, rtt, way, answers] = [0, 0, 0, 0, "", 0];
  for (const track of tracks) {
    const reports = await track.getRTCStatsReport();
    for (const report of reports?.values() ?? []) {
      if (report.type === "inbound-rtp") { got += report.packetsReceived; lost += Math.max(0, report.packetsLost); jitter = Math.max(jitter, report.jitter * 1000); }
    }
    // The way that is taken, of all that were tried.
    const pair = [...(reports?.values() ?? [])].find((report) => report.type === "transport")?.selectedCandidatePairId;
    const chosen = reports?.get(pair) ?? [...(reports?.values() ?? [])].find((report) => report.type === "candidate-pair" && report.nominated);
    if (!chosen) continue;
    rtt = (chosen.currentRoundTripTime ?? 0) * 1000;
    answers = chosen.responsesReceived + chosen.bytesReceived;
    const own = reports.get(chosen.localCandidateId);
    if (own) way = own.candidateType === "relay" ? `relay over ${own.relayProtocol ?? own.protocol}` : own.protocol;
  }
  const last = before ?? { got, lost, looks: [] };
  // Loss is loud: two looks are enough to call the line weak, before the server's word of it comes.
  const looks = [{ got, lost }, ...last.looks].slice(0, 3);
  const { got: from, lost: gone } = looks.at(-1);
  const weak = got - from > 50 && (lost - gone) / (got - from + lost - gone) >= 0.03;
  // Browsers ask for a sign of life every few seconds: three looks without an answer, and nothing comes.
  const still = tracks.length && before?.answers === answers ? before.still + 1 : 0;
  before = { got, lost, answers, still, looks, weak };
  if (still >= 3 && $("line").textContent !== "Reconnecting") line("bad", "Line lost");
  else if (last.still >= 3 || weak !== Boolean(last.weak)) redraw();
  if (!tracks.length) return;
  const share = (lost - last.lost) / Math.max(1, got - last.got + lost - last.lost) * 100;
  // ITU-T G.107, simplified: delay impairment beyond 177 ms, packet loss against Opus with concealment.
  const delay = rtt / 2 + jitter * 2 + 40;
  const r = 93.2 - 0.024 * delay - (delay > 177.3 ? 0.11 * (delay - 177.3) : 0) - 95 * share / (share + 20);
  const mos = r < 0 ? 1 : 1 + 0.035 * r + 7e-6 * r * (r - 60) * (100 - r);
  $("f-loss").textContent = `${share.toFixed(1)} %`;
  $("f-jitter").textContent = `${jitter.toFixed(0)} ms`;
  $("f-rtt").textContent = `${rtt.toFixed(0)} ms`;
  $("f-mos").textContent = mos.toFixed(1);
  $("f-way").textContent = way.toUpperCase() || "–";
};

// Controls.
const raise = (up) => room.localParticipant.publishData(new TextEncoder().encode(up ? "up" : "down"), { reliable: true, topic: "hand" });
const press = {
  mic: () => publish("Microphone", !room.localParticipant.isMicrophoneEnabled),
  cam: () => publish("Camera", !room.localParticipant.isCameraEnabled),
  share: () => publish("ScreenShare", !room.localParticipant.isScreenShareEnabled),
  hand: () => {
    const mine = room.localParticipant.identity;
    hands.has(mine) ? hands.delete(mine) : hands.add(mine);
    raise(hands.has(mine));
    redraw();
  },
  "show-people": () => panel("people"),
  "show-chat": () => panel("chat"),
  leave: () => { leaving = true; room.disconnect(); },
};
for (const [id, doIt] of Object.entries(press)) $(id).onclick = doIt;
const tabs = ["people", "chat", "figures"];
const tab = (name) => $(name === "figures" ? "tab-line" : `tab-${name}`);
const shown = () => ($("panel").hidden ? "" : tabs.find((name) => !$(name).hidden));
const panel = (name) => {
  const open = shown() !== name;
  $("panel").hidden = !open;
  for (const one of tabs) {
    $(one).hidden = one !== name;
    tab(one).setAttribute("aria-selected", one === name);
    tab(one).tabIndex = one === name ? 0 : -1;
  }
  $("show-people").setAttribute("aria-expanded", open && name === "people");
  $("show-chat").setAttribute("aria-expanded", open && name === "chat");
  if (open && name === "chat") { $("unread").hidden = true; $("text").focus(); }
};
for (const name of tabs) {
  tab(name).onclick = () => { if (shown() !== name) panel(name); };
  tab(name).onkeydown = (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const next = tabs[(tabs.indexOf(name) + step + tabs.length) % tabs.length];
    panel(next);
    tab(next).focus();
  };
}
$("shut").onclick = () => panel(shown());
const write = (who, text) => {
  const item = element("li");
  const time = new Date().toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  const head = element("p");
  head.append(element("b", who ? named(who) : "Somebody"), " ", element("small", time));
  item.append(head, element("p", text));
  $("lines").append(item);
  item.scrollIntoView({ block: "end" });
  if (shown() !== "chat" && !who?.isLocal) {
    $("unread").hidden = false;
    $("unread").textContent = Number($("unread").textContent || 0) + 1;
    say(`${who ? named(who) : "Somebody"} writes: ${text}`);
  } else $("unread").textContent = "";
};
$("write").onsubmit = async (event) => {
  event.preventDefault();
  const text = $("text").value.trim();
  if (!text) return;
  $("text").value = "";
  try {
    await room.localParticipant.sendText(text, { topic: "lk.chat" });
    write(room.localParticipant, text);
  } catch { $("text").value = text; trouble("signal_lost"); }
};
addEventListener("keydown", (event) => {
  if (main.dataset.view !== "room" || event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input,textarea,select,dialog")) return;
  if (event.key === "Escape" && shown()) return panel(shown());
  const id = { m: "mic", v: "cam", s: "share", h: "hand", p: "show-people", c: "show-chat" }[event.key];
  if (id) { event.preventDefault(); $(id).click(); }
});
addEventListener("pagehide", () => room?.disconnect());
addEventListener("resize", redraw);
if (LK) look(); else trouble("our_fault");
if (!navigator.mediaDevices?.getDisplayMedia) $("share").hidden = true;
globalThis.meeting = { get room() { return room; } };
