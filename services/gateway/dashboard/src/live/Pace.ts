const HIDDEN = 1000;
/** How many times as long as it took to draw the page is left to its reader before it is drawn again. */
const REST = 3;
const LONGEST_REST = 1000;

/**
 * When what changed is drawn: once in a frame, and slower where nobody looks.
 *
 * What begins after a pause is drawn in the next frame. Where changes never end, and drawing them takes long, three
 * quarters of the time stay with who scrolls and types.
 */
export class Pace {
  readonly #draw: () => void;
  readonly #clock: () => number;
  #asked = false;
  #restsUntil = 0;

  constructor(draw: () => void, clock = () => performance.now()) {
    this.#draw = draw;
    this.#clock = clock;
  }

  /** Something changed: it is drawn once for all that ask until then. */
  ask(): void {
    if (this.#asked) return;
    this.#asked = true;
    const rest = document.hidden ? HIDDEN : this.#restsUntil - this.#clock();
    if (rest > 0) setTimeout(this.#next, rest);
    else this.#next();
  }

  readonly #next = () => {
    if (document.hidden) {
      this.#now();
      return;
    }
    const frame = requestAnimationFrame(() => {
      clearTimeout(late);
      const began = this.#clock();
      this.#now();
      // This comes behind the frame: what is drawn was laid out and painted by then.
      setTimeout(() => {
        const took = this.#clock() - began;
        this.#restsUntil = began + took + Math.min(LONGEST_REST, REST * took);
      });
    });
    // A page that is put away meanwhile gets no frame, and its title counts on.
    const late = setTimeout(() => {
      cancelAnimationFrame(frame);
      this.#now();
    }, HIDDEN);
  };

  #now(): void {
    this.#asked = false;
    this.#draw();
  }
}
