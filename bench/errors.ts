// How far numbers are from what they should be: √(Σ error² / Σ truth²) of all, of the worst part and of the worst
// row, and the cosine.

export class Errors {
  #error = 0;
  #norm = 0;
  #other = 0;
  #product = 0;
  worstPart = 0;
  worstRow = 0;

  /** A part, a head for example, in rows of so many numbers. */
  add(got: ArrayLike<number>, want: ArrayLike<number>, columns: number): void {
    let [error, norm] = [0, 0];
    for (let row = 0; row < want.length; row += columns) {
      let [difference, squares] = [0, 0];
      for (let i = row; i < row + columns; i++) {
        difference += (got[i] - want[i]) ** 2;
        squares += want[i] ** 2;
        this.#other += got[i] ** 2;
        this.#product += got[i] * want[i];
      }
      error += difference;
      norm += squares;
      if (difference) this.worstRow = Math.max(this.worstRow, Math.sqrt(difference / squares));
    }
    this.#error += error;
    this.#norm += norm;
    if (error) this.worstPart = Math.max(this.worstPart, Math.sqrt(error / norm));
  }

  get relative(): number {
    return Math.sqrt(this.#error / this.#norm);
  }

  get cosine(): number {
    return this.#product / Math.sqrt(this.#norm * this.#other);
  }
}
