import { type Bin, percent } from "./foretold";
import own from "./predictions.module.css";

const SIZE = 200;

/** What was foretold at so many per cent, against how often it came: on the line it is as often as was said. */
export function CalibrationChart({ bins }: { bins: Bin[] }) {
  const most = Math.max(...bins.map(({ scored }) => scored));
  const said = bins.map(({ foretold, came, scored }) => `${percent(foretold)}: ${percent(came)} of ${scored}`);
  return (
    <figure className={own["calibration"]}>
      <svg viewBox={`-6 -6 ${SIZE + 12} ${SIZE + 12}`} role="img" aria-label={`Foretold and came. ${said.join("; ")}`}>
        <rect width={SIZE} height={SIZE} className={own["plane"]} />
        <line x1={0} y1={SIZE} x2={SIZE} y2={0} className={own["perfect"]} />
        {bins.map(({ foretold, came, scored }, place) => (
          <circle
            key={foretold}
            cx={foretold * SIZE}
            cy={(1 - came) * SIZE}
            r={2 + 4 * Math.sqrt(scored / most)}
            className={own["bin"]}
          >
            <title>{said[place]}</title>
          </circle>
        ))}
      </svg>
      <figcaption>Foretold (to the right) against how often it came (upwards)</figcaption>
    </figure>
  );
}
