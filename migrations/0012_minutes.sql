-- A meeting is one run of a room, and a call of the log under the same id: recordings, transcripts,
-- tags, notices, retention and removal are the call's. Here stands what only meetings have.
create table meetings (
    call_id text not null,
    tenant_id text not null,
    sid text not null,
    room text not null,
    title text not null,
    host text,
    peak bigint not null,
    started_at bigint not null,
    ended_at bigint,
    constraint meetings_pk primary key (call_id),
    constraint meetings_sid_taken unique (tenant_id, sid),
    constraint meetings_call foreign key (call_id) references calls (id) on delete cascade
);
create index meetings_by_time on meetings (tenant_id, started_at, call_id);
create index meetings_by_room on meetings (tenant_id, room, started_at);
-- The meetings a crash left open are looked for across tenants at every start.
create index meetings_unfinished on meetings (ended_at, call_id);

-- One presence of somebody: who leaves and comes again has two rows.
create table meeting_members (
    id text not null,
    tenant_id text not null,
    call_id text not null,
    sid text not null,
    identity text not null,
    name text not null,
    kind text not null,
    role text not null,
    joined_at bigint not null,
    left_at bigint,
    reason text,
    is_muted bigint not null,
    has_video bigint not null,
    is_sharing bigint not null,
    constraint meeting_members_pk primary key (id),
    constraint meeting_members_meeting foreign key (call_id) references meetings (call_id) on delete cascade
);
create index meeting_members_by_meeting on meeting_members (call_id, joined_at);

create table meeting_messages (
    call_id text not null,
    id text not null,
    tenant_id text not null,
    identity text not null,
    name text not null,
    text text not null,
    sent_at bigint not null,
    constraint meeting_messages_pk primary key (call_id, id),
    constraint meeting_messages_meeting foreign key (call_id) references meetings (call_id) on delete cascade
);

-- Each speaker of a recorded meeting alone, aligned with the recording and as long as it.
create table recording_tracks (
    recording_id text not null,
    position bigint not null,
    tenant_id text not null,
    identity text not null,
    name text not null,
    blob text not null,
    duration_ms bigint not null,
    size_bytes bigint not null,
    sha256 text not null,
    peaks text not null,
    constraint recording_tracks_pk primary key (recording_id, position),
    constraint recording_tracks_recording foreign key (recording_id) references recordings (id) on delete cascade
);
create index recording_tracks_by_blob on recording_tracks (blob);

-- What programs asked to have recorded through the egress service, and the recording it becomes.
create table egresses (
    id text not null,
    tenant_id text not null,
    call_id text not null,
    recording_id text not null,
    request text not null,
    started_at bigint not null,
    stopped_at bigint,
    told_at bigint,
    constraint egresses_pk primary key (id),
    constraint egresses_meeting foreign key (call_id) references meetings (call_id) on delete cascade
);
create index egresses_by_time on egresses (tenant_id, started_at, id);
create index egresses_by_recording on egresses (recording_id);
