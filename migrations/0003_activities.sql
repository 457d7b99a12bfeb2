CREATE TABLE "lifecycle_history" (
	"workspace_id" uuid NOT NULL,
	"resource" text NOT NULL,
	"record_id" uuid NOT NULL,
	"at" timestamp(3) with time zone NOT NULL,
	"seq" bigint NOT NULL,
	"id" uuid DEFAULT gen_random_uuid() NOT NULL,
	"recorded_at" timestamp(3) with time zone NOT NULL,
	"stage" text,
	"actor_type" text NOT NULL,
	"actor_id" uuid,
	CONSTRAINT "lifecycle_history_pkey" PRIMARY KEY("workspace_id","resource","record_id","at","seq")
);
--> statement-breakpoint
DROP INDEX "activities_due";--> statement-breakpoint
DROP INDEX "activities_todo";--> statement-breakpoint
CREATE INDEX "lifecycle_history_stage" ON "lifecycle_history" USING btree ("workspace_id","resource","stage","record_id","at");--> statement-breakpoint
CREATE INDEX "record_changes_time" ON "record_changes" USING btree ("workspace_id","resource","record_id","at","id");--> statement-breakpoint
CREATE INDEX "activities_todo_all" ON "activities" USING btree ("workspace_id",coalesce(due_at, 'infinity'::timestamptz),"id") WHERE status = 'planned' and deleted_at is null;--> statement-breakpoint
CREATE INDEX "activities_due" ON "activities" USING btree ("workspace_id",coalesce(due_at, 'infinity'::timestamptz),"id");--> statement-breakpoint
CREATE INDEX "activities_todo" ON "activities" USING btree ("workspace_id","owner_id",coalesce(due_at, 'infinity'::timestamptz),"id") WHERE status = 'planned' and deleted_at is null;--> statement-breakpoint
ALTER TABLE "activities" ADD CONSTRAINT "activities_completed" CHECK ((status = 'completed') = (completed_at is not null));