// A meeting of LiveKit's React components in a room of Strowger's: join, see, hear, show a screen, write.

import "@livekit/components-styles";
import "./meeting.css";
import {
  Chat,
  ConnectionStateToast,
  ControlBar,
  GridLayout,
  LayoutContextProvider,
  LiveKitRoom,
  ParticipantTile,
  RoomAudioRenderer,
  useCreateLayoutContext,
  useTracks,
} from "@livekit/components-react";
import { DisconnectReason, Track } from "livekit-client";
import { useState } from "react";
import { createRoot } from "react-dom/client";

// What people are told when the server ends their stay. Whoever leaves by themselves is told nothing.
const ENDED = {
  [DisconnectReason.DUPLICATE_IDENTITY]: "You joined from somewhere else.",
  [DisconnectReason.PARTICIPANT_REMOVED]: "The host showed you out.",
  [DisconnectReason.ROOM_DELETED]: "The host ended this meeting.",
  [DisconnectReason.SERVER_SHUTDOWN]: "The server restarts. Join again in a minute.",
  [DisconnectReason.JOIN_FAILURE]: "The meeting cannot be joined from this network.",
};

function App() {
  const [ticket, setTicket] = useState();
  const [note, setNote] = useState("");
  if (!ticket) return <Door note={note} onTicket={setTicket} />;
  return (
    <LiveKitRoom
      className="meeting"
      data-lk-theme="default"
      serverUrl={ticket.wsUrl}
      token={ticket.token}
      audio={ticket.microphone}
      video={ticket.camera}
      // Layers nobody looks at are not sent, and each tile gets the size it is drawn in.
      options={{ adaptiveStream: true, dynacast: true }}
      onDisconnected={(reason) => {
        setNote(ENDED[reason] ?? "");
        setTicket(undefined);
      }}
      onMediaDeviceFailure={(failure) => setNote(`A device cannot be used: ${failure ?? "unknown"}.`)}
    >
      <Meeting />
      {/* Everybody's sound, phones' included. */}
      <RoomAudioRenderer />
      <ConnectionStateToast />
    </LiveKitRoom>
  );
}

// Asks our own back end for a token; it knows who may join.
function Door({ note, onTicket }) {
  const [problem, setProblem] = useState("");
  const [busy, setBusy] = useState(false);
  async function join(event) {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    setBusy(true);
    setProblem("");
    try {
      const answer = await fetch("/token", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ room: form.get("room"), name: form.get("name") }),
      });
      const said = await answer.json();
      if (!answer.ok) throw new Error(said.problem);
      onTicket({ ...said, microphone: form.has("microphone"), camera: form.has("camera") });
    } catch (fault) {
      setProblem(fault.message);
      setBusy(false);
    }
  }
  return (
    <main className="door" data-lk-theme="default">
      <form onSubmit={join}>
        <h1>Join a meeting</h1>
        {note && <p role="status">{note}</p>}
        <label>
          Room <input name="room" required maxLength={60} defaultValue="Daily Standup" />
        </label>
        <label>
          Your name <input name="name" required maxLength={60} autoComplete="name" />
        </label>
        <label className="choice">
          <input type="checkbox" name="microphone" defaultChecked /> Microphone on
        </label>
        <label className="choice">
          <input type="checkbox" name="camera" /> Camera on
        </label>
        <button className="lk-button" disabled={busy}>
          {busy ? "Joining…" : "Join"}
        </button>
        {problem && <p role="alert">{problem}</p>}
      </form>
    </main>
  );
}

function Meeting() {
  const layout = useCreateLayoutContext();
  const [widgets, setWidgets] = useState({ showChat: false, unreadMessages: 0 });
  // One tile for everybody, with or without a picture, and one for each shown screen.
  const tiles = useTracks(
    [
      { source: Track.Source.Camera, withPlaceholder: true },
      { source: Track.Source.ScreenShare, withPlaceholder: false },
    ],
    { onlySubscribed: false },
  );
  return (
    <LayoutContextProvider value={layout} onWidgetChange={setWidgets}>
      <div className="stage">
        <GridLayout tracks={tiles}>
          <ParticipantTile />
        </GridLayout>
        <ControlBar controls={{ chat: true, screenShare: true }} />
      </div>
      {/* Hidden and not gone: what is written meanwhile is counted on the button and there when it opens. */}
      <Chat style={{ display: widgets.showChat ? "grid" : "none" }} />
    </LayoutContextProvider>
  );
}

createRoot(document.getElementById("app")).render(<App />);
