-- What transcripts mean, as vectors of a language service's model, and the questions that were put so.
-- A vector is of length one, 16 bits a figure, little end first.
create table transcript_vectors (
    tenant_id text not null,
    transcript_id text not null,
    call_id text not null,
    position bigint not null,
    from_ms bigint,
    to_ms bigint not null,
    model text not null,
    vector bytea not null,
    constraint transcript_vectors_pk primary key (transcript_id, position),
    constraint transcript_vectors_transcript foreign key (transcript_id) references transcripts (id) on delete cascade
);
create index transcript_vectors_by_model on transcript_vectors (tenant_id, model, transcript_id, position);

create table search_questions (
    id text not null,
    tenant_id text not null,
    text text not null,
    model text,
    vector bytea,
    problem text,
    asked_at bigint not null,
    constraint search_questions_pk primary key (id),
    constraint search_questions_taken unique (tenant_id, text),
    constraint search_questions_tenant foreign key (tenant_id) references tenants (id) on delete cascade
);
