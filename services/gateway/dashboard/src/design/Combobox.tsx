import { Combobox as Base } from "@base-ui/react/combobox";
import type { ReactNode } from "react";
import styles from "./Combobox.module.css";
import { Loading } from "./EmptyState";
import { Field } from "./Field";
import field from "./Field.module.css";

export interface ComboboxProps<Option> {
  label: string;
  hint?: ReactNode;
  /** What is written. */
  text: string;
  onText: (text: string) => void;
  /** What fits what is written, in its order; undefined while the first ones are being loaded. */
  options: readonly Option[] | undefined;
  keyOf: (option: Option) => string;
  labelOf: (option: Option) => string;
  /** What tells options of the same label apart. */
  detailOf: (option: Option) => string | null;
  onChoose: (option: Option) => void;
  /** Said where nothing fits. */
  empty: string;
  autoFocus?: boolean;
}

/** A field to write in, above the choices that fit: arrows go through them, Enter takes the one that is marked. */
export function Combobox<Option>(props: ComboboxProps<Option>) {
  const { label, hint, text, onText, options, keyOf, labelOf, detailOf, onChoose, empty, autoFocus } = props;
  return (
    <Base.Root
      inline
      open
      items={options ?? []}
      filter={null}
      autoHighlight
      value={null}
      inputValue={text}
      itemToStringLabel={labelOf}
      isItemEqualToValue={(one: Option, other: Option) => keyOf(one) === keyOf(other)}
      onInputValueChange={(written, { reason }) => {
        if (reason === "input-change" || reason === "input-clear") onText(written);
      }}
      onValueChange={(chosen) => {
        if (chosen !== null) onChoose(chosen as Option);
      }}
    >
      <Field label={label} hint={hint}>
        {(control) => <Base.Input {...control} className={field["control"]} autoFocus={autoFocus} />}
      </Field>
      {options === undefined ? <Loading /> : null}
      <Base.Status className={styles["status"]}>{options?.length === 0 ? empty : null}</Base.Status>
      <Base.List className={styles["list"]} aria-label={label}>
        {(option: Option) => (
          <Base.Item key={keyOf(option)} value={option} className={styles["item"]}>
            <span>{labelOf(option)}</span>
            <span className={styles["detail"]}>{detailOf(option)}</span>
          </Base.Item>
        )}
      </Base.List>
    </Base.Root>
  );
}
