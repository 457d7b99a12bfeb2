ALTER TABLE "deals" ADD COLUMN "way" uuid[] DEFAULT '{}' NOT NULL;--> statement-breakpoint
ALTER TABLE "deals" ADD COLUMN "way_from" timestamp(3) with time zone;--> statement-breakpoint
ALTER TABLE "deals" ADD COLUMN "way_recorded_at" timestamp(3) with time zone;