// What tests ask of a page: whether something can be pressed, what stands there, what is heard.
globalThis.test = {
  isThere: (selector) => {
    const part = document.querySelector(selector);
    return Boolean(part && part.getClientRects().length && !part.disabled);
  },
  fill: (selector, text) => {
    const field = document.querySelector(selector);
    field.focus();
    field.value = text;
    for (const kind of ["input", "change"]) field.dispatchEvent(new Event(kind, { bubbles: true }));
  },
  // Everything the page plays, added up and measured: the loudest that each pitch gets within the time.
  levels: async (pitches, time = 1500) => {
    const context = new AudioContext();
    const analyser = context.createAnalyser();
    analyser.fftSize = 8192;
    analyser.smoothingTimeConstant = 0;
    for (const part of document.querySelectorAll("audio,video")) {
      const sounds = part.srcObject?.getAudioTracks().filter((track) => track.readyState === "live") ?? [];
      if (sounds.length && !part.muted) context.createMediaStreamSource(new MediaStream(sounds)).connect(analyser);
    }
    await context.resume();
    const bins = new Float32Array(analyser.frequencyBinCount);
    const most = pitches.map(() => -200);
    const end = performance.now() + time;
    while (performance.now() < end) {
      await new Promise((done) => setTimeout(done, 60));
      analyser.getFloatFrequencyData(bins);
      pitches.forEach((pitch, index) => {
        const bin = Math.round((pitch * analyser.fftSize) / context.sampleRate);
        for (const near of [bin - 1, bin, bin + 1]) most[index] = Math.max(most[index], Number.isFinite(bins[near]) ? bins[near] : -200);
      });
    }
    await context.close();
    return most;
  },
  // What arrived here so far, of each receiving connection's sounds or pictures.
  received: async (kind) => {
    const room = globalThis.meeting.room;
    const all = [];
    for (const who of room.remoteParticipants.values()) {
      for (const publication of who.trackPublications.values()) {
        if (publication.kind !== kind || !publication.track) continue;
        for (const report of (await publication.track.getRTCStatsReport())?.values() ?? []) {
          if (report.type === "inbound-rtp") all.push({ who: who.identity, source: publication.source, got: report.packetsReceived, lost: report.packetsLost, jitter: report.jitter, width: report.frameWidth, height: report.frameHeight, frames: report.framesDecoded, rate: report.framesPerSecond, bytes: report.bytesReceived });
        }
      }
    }
    return all;
  },
  // A page of small print, the same wherever it is drawn.
  slide: () => {
    const canvas = document.createElement("canvas");
    Object.assign(canvas, { width: 960, height: 540 });
    const pen = canvas.getContext("2d");
    pen.fillStyle = "#fff";
    pen.fillRect(0, 0, 960, 540);
    pen.fillStyle = "#123";
    pen.font = "20px sans-serif";
    for (let row = 0; row < 20; row += 1) pen.fillText(`${row + 1}. Invoice ${row * 7919} of the quarter: ${row * 104729} paid, ${row * 31} open`, 40, 40 + row * 25);
    return canvas;
  },
  // Shows that page as one's screen.
  show: async () => {
    const canvas = test.slide();
    const track = canvas.captureStream(10).getVideoTracks()[0];
    track.contentHint = "text";
    // A picture that stands still is sent again and again all the same.
    const pen = canvas.getContext("2d");
    setInterval(() => pen.fillRect(0, 0, 1, 1), 100);
    const { Track } = LivekitClient;
    await meeting.room.localParticipant.publishTrack(track, { source: Track.Source.ScreenShare, simulcast: false });
  },
  // How like that page a picture on this page is: the structural similarity, 1 for the same.
  likeness: (selector) => {
    const video = document.querySelector(selector);
    if (!video?.videoWidth) return 0;
    const grey = (source) => {
      const canvas = document.createElement("canvas");
      Object.assign(canvas, { width: 960, height: 540 });
      const pen = canvas.getContext("2d");
      pen.drawImage(source, 0, 0, 960, 540);
      const { data } = pen.getImageData(0, 0, 960, 540);
      return Float32Array.from({ length: 960 * 540 }, (_, at) => 0.299 * data[at * 4] + 0.587 * data[at * 4 + 1] + 0.114 * data[at * 4 + 2]);
    };
    const [one, other] = [grey(test.slide()), grey(video)];
    let [sum, count] = [0, 0];
    for (let top = 0; top + 8 <= 540; top += 8) {
      for (let left = 0; left + 8 <= 960; left += 8) {
        let [a, b, aa, bb, ab] = [0, 0, 0, 0, 0];
        for (let at = 0; at < 64; at += 1) {
          const place = (top + (at >> 3)) * 960 + left + (at & 7);
          const [x, y] = [one[place], other[place]];
          a += x; b += y; aa += x * x; bb += y * y; ab += x * y;
        }
        [a, b, aa, bb, ab] = [a, b, aa, bb, ab].map((value) => value / 64);
        sum += ((2 * a * b + 6.5) * (2 * (ab - a * b) + 58.5)) / ((a * a + b * b + 6.5) * (aa - a * a + bb - b * b + 58.5));
        count += 1;
      }
    }
    return sum / count;
  },
  // A token to a room, signed as a program with a key would.
  token: async (key, secret, claims) => {
    const coded = (bytes) => btoa(String.fromCharCode(...new Uint8Array(bytes))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
    const bytes = (text) => new TextEncoder().encode(text);
    const head = coded(bytes(JSON.stringify({ alg: "HS256", typ: "JWT" })));
    const text = `${head}.${coded(bytes(JSON.stringify({ iss: key, ...claims })))}`;
    const algorithm = { name: "HMAC", hash: "SHA-256" };
    const signer = await crypto.subtle.importKey("raw", bytes(secret), algorithm, false, ["sign"]);
    return `${text}.${coded(await crypto.subtle.sign("HMAC", signer, bytes(text)))}`;
  },
  // No WebSocket of this page gets anywhere, or each does again.
  away: (is) => {
    const real = (test.socket ??= globalThis.WebSocket);
    globalThis.WebSocket = is ? class extends real { constructor() { super(`ws://${location.host}/nowhere`); } } : real;
  },
  // The connection breaks once half of a piece was sent, and stays away for some requests.
  cut: (requests) => {
    const real = globalThis.fetch;
    test.cuts = 0;
    globalThis.fetch = async (where, how) => {
      const isPiece = how?.method === "PATCH";
      if ((test.cuts === 0 && !isPiece) || test.cuts > requests) return real(where, how);
      test.cuts += 1;
      if (test.cuts === 1) await real(where, { ...how, body: how.body.slice(0, how.body.size / 2) });
      throw new TypeError("Failed to fetch");
    };
  },
  // The door gives out this token instead of its own.
  bring: (token) => {
    const real = globalThis.fetch;
    globalThis.fetch = async (where, how) => {
      const answer = await real(where, how);
      if (!`${where}`.endsWith("/enter")) return answer;
      return new Response(JSON.stringify({ ...(await answer.json()), token }));
    };
  },
};
