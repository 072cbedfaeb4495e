-- Row-level security of the tables of meetings, as for all others.

alter table meetings enable row level security;
alter table meetings force row level security;
create policy meetings_tenant on meetings
    using (current_setting('strowger.tenant', true) in ('*', tenant_id))
    with check (current_setting('strowger.tenant', true) in ('*', tenant_id));

alter table meeting_members enable row level security;
alter table meeting_members force row level security;
create policy meeting_members_tenant on meeting_members
    using (current_setting('strowger.tenant', true) in ('*', tenant_id))
    with check (current_setting('strowger.tenant', true) in ('*', tenant_id));

alter table meeting_messages enable row level security;
alter table meeting_messages force row level security;
create policy meeting_messages_tenant on meeting_messages
    using (current_setting('strowger.tenant', true) in ('*', tenant_id))
    with check (current_setting('strowger.tenant', true) in ('*', tenant_id));

alter table recording_tracks enable row level security;
alter table recording_tracks force row level security;
create policy recording_tracks_tenant on recording_tracks
    using (current_setting('strowger.tenant', true) in ('*', tenant_id))
    with check (current_setting('strowger.tenant', true) in ('*', tenant_id));

alter table egresses enable row level security;
alter table egresses force row level security;
create policy egresses_tenant on egresses
    using (current_setting('strowger.tenant', true) in ('*', tenant_id))
    with check (current_setting('strowger.tenant', true) in ('*', tenant_id));
