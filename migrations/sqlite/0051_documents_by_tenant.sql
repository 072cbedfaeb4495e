-- Whose a text is and of which call, without its row: a row is a whole transcript. What the index of words finds for
-- others is passed over here.
create index call_documents_by_tenant on call_documents (tenant_id, place, call_id);
