-- How many samples a second the sound of a recording has; null where it was made before this was kept.
alter table recordings add column sample_rate_hz bigint;
