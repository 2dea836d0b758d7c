import { type FormEvent, useEffect, useRef, useState } from "react";
import { type Faults, faultsIn, NO_FAULTS } from "./problems";
import { showFirstFault } from "./showFirstFault";

/** A form on its way to the API. `faults` are what is wrong with it before it is sent. */
export function useSubmission(faults: Faults) {
  const [tried, setTried] = useState(false);
  const [refused, setRefused] = useState<{ error: unknown; faults: Faults }>({ error: null, faults: NO_FAULTS });
  const [busy, setBusy] = useState(false);
  const [faulted, setFaulted] = useState(0);
  const element = useRef<HTMLFormElement>(null);
  // Once the faults are drawn, and not before: in a busy browser a frame may come between.
  useEffect(() => {
    if (faulted > 0) showFirstFault(element.current);
  }, [faulted]);

  /** Does the work; what is refused is shown at the fields that it names. */
  const send = async (work: () => Promise<void>) => {
    setBusy(true);
    try {
      await work();
    } catch (error) {
      setRefused({ error, faults: faultsIn(error) });
      setFaulted((before) => before + 1);
    } finally {
      setBusy(false);
    }
  };

  return {
    /** The form's element. */
    element,
    busy,
    /** Why the API refused it. */
    error: refused.error,
    /** What to show at the fields: the API's, and once it was tried the form's own. */
    shown: { ...refused.faults, ...(tried ? faults : NO_FAULTS) },
    send,
    /** The form's `onSubmit`: does the work if nothing is wrong with the form. */
    onSubmit: (work: () => Promise<void>) => (event: FormEvent) => {
      event.preventDefault();
      setTried(true);
      if (Object.keys(faults).length > 0) setFaulted((before) => before + 1);
      else if (!busy) void send(work);
    },
    /** The form was changed: what the API said is no longer about it. */
    changed: () => setRefused({ error: null, faults: NO_FAULTS }),
    /** The form was filled anew. */
    refilled: () => setTried(false),
  };
}
