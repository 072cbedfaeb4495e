alter table bucket_erasures enable row level security;
alter table bucket_erasures force row level security;
create policy bucket_erasures_tenant on bucket_erasures
    using (current_setting('strowger.tenant', true) in ('*', tenant_id))
    with check (current_setting('strowger.tenant', true) in ('*', tenant_id));

alter table uploads enable row level security;
alter table uploads force row level security;
create policy uploads_tenant on uploads
    using (current_setting('strowger.tenant', true) in ('*', tenant_id))
    with check (current_setting('strowger.tenant', true) in ('*', tenant_id));

alter table upload_pieces enable row level security;
alter table upload_pieces force row level security;
create policy upload_pieces_tenant on upload_pieces
    using (current_setting('strowger.tenant', true) in ('*', tenant_id))
    with check (current_setting('strowger.tenant', true) in ('*', tenant_id));
