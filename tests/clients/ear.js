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
};
