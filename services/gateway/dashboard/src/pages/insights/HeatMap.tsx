import table from "../../design/Table.module.css";
import { levelOf } from "./figures";
import styles from "./insights.module.css";

const DAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const HOURS = Array.from({ length: 24 }, (_, hour) => hour);

/** How alerts are spread over the hours of the week: a table, whose cells are the darker the more there were. */
export function HeatMap({ byHour }: { byHour: readonly (readonly number[])[] }) {
  const most = Math.max(0, ...byHour.flat());
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls is reached by the keyboard
    <section className={table["frame"]} tabIndex={0} aria-label="Alerts by weekday and hour">
      <table className={styles["heat"]}>
        <caption className="visually-hidden">Alerts by weekday and hour of the day</caption>
        <thead>
          <tr>
            <td />
            {HOURS.map((hour) => (
              <th key={hour} scope="col">
                {hour}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {DAYS.map((name, day) => (
            <tr key={name}>
              <th scope="row">{name}</th>
              {HOURS.map((hour) => {
                const alerts = byHour[day]?.[hour] ?? 0;
                return (
                  <td key={hour} data-level={levelOf(alerts, most)} title={`${name} ${hour}:00: ${alerts}`}>
                    <span className="visually-hidden">{alerts}</span>
                  </td>
                );
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
