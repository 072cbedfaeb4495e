alter table call_topics enable row level security;
alter table call_topics force row level security;
create policy call_topics_tenant on call_topics
    using (current_setting('strowger.tenant', true) in ('*', tenant_id))
    with check (current_setting('strowger.tenant', true) in ('*', tenant_id));
