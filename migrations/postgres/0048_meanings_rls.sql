alter table transcript_vectors enable row level security;
alter table transcript_vectors force row level security;
create policy transcript_vectors_tenant on transcript_vectors
    using (current_setting('strowger.tenant', true) in ('*', tenant_id))
    with check (current_setting('strowger.tenant', true) in ('*', tenant_id));

alter table search_questions enable row level security;
alter table search_questions force row level security;
create policy search_questions_tenant on search_questions
    using (current_setting('strowger.tenant', true) in ('*', tenant_id))
    with check (current_setting('strowger.tenant', true) in ('*', tenant_id));
