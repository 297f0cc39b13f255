// A policy in JavaScript: it pins every checkpoint whose step is a multiple of `every`.
import { pin } from "tidegate:bot/checkpoints@0.2.0";
import { line } from "tidegate:bot/log@0.2.0";

/** The one setting; a text that is thrown refuses it, anything else ends the bot. */
function every(settings) {
  const { every = 1000 } = JSON.parse(settings || "{}");
  if (!Number.isInteger(every) || every < 1) throw "`every` is a number of steps, 1 or more";
  return every;
}

export function configure(settings) {
  every(settings);
}

export function handle(event, settings) {
  if (event.what.tag !== "checkpoint-complete") return;
  const { run, step } = event.what.val;
  // No step is larger than a number of JavaScript holds exactly.
  if (Number(step) % every(settings) === 0) {
    pin(run, step, `a multiple of ${every(settings)}`);
    line("info", `pinned ${run} step ${step}`);
  }
}
