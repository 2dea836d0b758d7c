import { useEffect, useState } from "react";

const PAUSE = 400;

/** A value once it has stayed the same for a moment. */
export function usePaused(value: string, pause = PAUSE): string {
  const [paused, setPaused] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setPaused(value), pause);
    return () => clearTimeout(timer);
  }, [value, pause]);
  return paused;
}
