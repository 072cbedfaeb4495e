-- Every statement on a tenant's rows carries the tenant's id; here the engine says it once more. Each
-- transaction names whose rows it may see, one tenant's or, for the platform's own work, everybody's
-- ('*'); without a name it sees none. FORCE: the owner of the tables, as which we sign in, is bound too.

alter table tenant_keys enable row level security;
alter table tenant_keys force row level security;
create policy tenant_keys_tenant on tenant_keys
    using (current_setting('strowger.tenant', true) in ('*', tenant_id))
    with check (current_setting('strowger.tenant', true) in ('*', tenant_id));

alter table object_keys enable row level security;
alter table object_keys force row level security;
create policy object_keys_tenant on object_keys
    using (current_setting('strowger.tenant', true) in ('*', tenant_id))
    with check (current_setting('strowger.tenant', true) in ('*', tenant_id));

alter table users enable row level security;
alter table users force row level security;
create policy users_tenant on users
    using (current_setting('strowger.tenant', true) in ('*', tenant_id))
    with check (current_setting('strowger.tenant', true) in ('*', tenant_id));

alter table devices enable row level security;
alter table devices force row level security;
create policy devices_tenant on devices
    using (current_setting('strowger.tenant', true) in ('*', tenant_id))
    with check (current_setting('strowger.tenant', true) in ('*', tenant_id));

alter table bindings enable row level security;
alter table bindings force row level security;
create policy bindings_tenant on bindings
    using (current_setting('strowger.tenant', true) in ('*', tenant_id))
    with check (current_setting('strowger.tenant', true) in ('*', tenant_id));

alter table trunks enable row level security;
alter table trunks force row level security;
create policy trunks_tenant on trunks
    using (current_setting('strowger.tenant', true) in ('*', tenant_id))
    with check (current_setting('strowger.tenant', true) in ('*', tenant_id));

alter table numbers enable row level security;
alter table numbers force row level security;
create policy numbers_tenant on numbers
    using (current_setting('strowger.tenant', true) in ('*', tenant_id))
    with check (current_setting('strowger.tenant', true) in ('*', tenant_id));

alter table prompts enable row level security;
alter table prompts force row level security;
create policy prompts_tenant on prompts
    using (current_setting('strowger.tenant', true) in ('*', tenant_id))
    with check (current_setting('strowger.tenant', true) in ('*', tenant_id));

alter table speech enable row level security;
alter table speech force row level security;
create policy speech_tenant on speech
    using (current_setting('strowger.tenant', true) in ('*', tenant_id))
    with check (current_setting('strowger.tenant', true) in ('*', tenant_id));

alter table flows enable row level security;
alter table flows force row level security;
create policy flows_tenant on flows
    using (current_setting('strowger.tenant', true) in ('*', tenant_id))
    with check (current_setting('strowger.tenant', true) in ('*', tenant_id));

alter table flow_versions enable row level security;
alter table flow_versions force row level security;
create policy flow_versions_tenant on flow_versions
    using (current_setting('strowger.tenant', true) in ('*', tenant_id))
    with check (current_setting('strowger.tenant', true) in ('*', tenant_id));

alter table calls enable row level security;
alter table calls force row level security;
create policy calls_tenant on calls
    using (current_setting('strowger.tenant', true) in ('*', tenant_id))
    with check (current_setting('strowger.tenant', true) in ('*', tenant_id));

alter table legs enable row level security;
alter table legs force row level security;
create policy legs_tenant on legs
    using (current_setting('strowger.tenant', true) in ('*', tenant_id))
    with check (current_setting('strowger.tenant', true) in ('*', tenant_id));

alter table call_events enable row level security;
alter table call_events force row level security;
create policy call_events_tenant on call_events
    using (current_setting('strowger.tenant', true) in ('*', tenant_id))
    with check (current_setting('strowger.tenant', true) in ('*', tenant_id));

alter table call_tags enable row level security;
alter table call_tags force row level security;
create policy call_tags_tenant on call_tags
    using (current_setting('strowger.tenant', true) in ('*', tenant_id))
    with check (current_setting('strowger.tenant', true) in ('*', tenant_id));

alter table recordings enable row level security;
alter table recordings force row level security;
create policy recordings_tenant on recordings
    using (current_setting('strowger.tenant', true) in ('*', tenant_id))
    with check (current_setting('strowger.tenant', true) in ('*', tenant_id));

alter table voicemails enable row level security;
alter table voicemails force row level security;
create policy voicemails_tenant on voicemails
    using (current_setting('strowger.tenant', true) in ('*', tenant_id))
    with check (current_setting('strowger.tenant', true) in ('*', tenant_id));

alter table greetings enable row level security;
alter table greetings force row level security;
create policy greetings_tenant on greetings
    using (current_setting('strowger.tenant', true) in ('*', tenant_id))
    with check (current_setting('strowger.tenant', true) in ('*', tenant_id));

alter table transcripts enable row level security;
alter table transcripts force row level security;
create policy transcripts_tenant on transcripts
    using (current_setting('strowger.tenant', true) in ('*', tenant_id))
    with check (current_setting('strowger.tenant', true) in ('*', tenant_id));

alter table rooms enable row level security;
alter table rooms force row level security;
create policy rooms_tenant on rooms
    using (current_setting('strowger.tenant', true) in ('*', tenant_id))
    with check (current_setting('strowger.tenant', true) in ('*', tenant_id));

alter table tokens enable row level security;
alter table tokens force row level security;
create policy tokens_tenant on tokens
    using (current_setting('strowger.tenant', true) in ('*', tenant_id))
    with check (current_setting('strowger.tenant', true) in ('*', tenant_id));

alter table settings enable row level security;
alter table settings force row level security;
create policy settings_tenant on settings
    using (current_setting('strowger.tenant', true) in ('*', tenant_id))
    with check (current_setting('strowger.tenant', true) in ('*', tenant_id));

alter table notices enable row level security;
alter table notices force row level security;
create policy notices_tenant on notices
    using (current_setting('strowger.tenant', true) in ('*', tenant_id))
    with check (current_setting('strowger.tenant', true) in ('*', tenant_id));

alter table jobs enable row level security;
alter table jobs force row level security;
create policy jobs_tenant on jobs
    using (current_setting('strowger.tenant', true) in ('*', tenant_id))
    with check (current_setting('strowger.tenant', true) in ('*', tenant_id));

alter table audit enable row level security;
alter table audit force row level security;
create policy audit_tenant on audit
    using (current_setting('strowger.tenant', true) in ('*', tenant_id))
    with check (current_setting('strowger.tenant', true) in ('*', tenant_id));

alter table saved_views enable row level security;
alter table saved_views force row level security;
create policy saved_views_tenant on saved_views
    using (current_setting('strowger.tenant', true) in ('*', tenant_id))
    with check (current_setting('strowger.tenant', true) in ('*', tenant_id));
