import { CholeskyDecomposition, Matrix } from 'ml-matrix'

/** A function to be made as large as can be: its value at a point, with its first and second derivatives there. */
export interface Objective {
  value(point: readonly number[]): number
  gradient(point: readonly number[]): number[]
  /** Symmetric. */
  hessian(point: readonly number[]): Matrix
}

/** Where a search ended. */
export interface Optimum {
  point: number[]
  value: number
  /** Whether a full step would no longer gain anything that counts. */
  converged: boolean
}

const mostSteps = 100
const mostDamping = 1e12
/** A step that promises less than this, or than what rounding leaves of the value, is none. */
const enough = (value: number) => 1e-10 + 1e-14 * Math.abs(value)

/** The step to the top of the parabola through the point, bent uphill by damping where that would not be one. */
function stepAt(gradient: Matrix, hessian: Matrix, damping: number): number[] | undefined {
  const bent = Matrix.mul(hessian, -1)
  for (let i = 0; i < bent.rows; i++) bent.set(i, i, bent.get(i, i) + damping)
  const factors = new CholeskyDecomposition(bent)
  if (!factors.isPositiveDefinite()) return undefined
  return factors.solve(gradient).to1DArray()
}

/** Newton's method with Levenberg's damping: quadratic near the top, and uphill wherever it starts. */
export function maximise({ value, gradient, hessian }: Objective, start: readonly number[]): Optimum {
  let point = [...start]
  let top = value(point)
  let damping = 0
  for (let step = 0; step < mostSteps && Number.isFinite(top); step++) {
    const slope = gradient(point)
    const bend = hessian(point)
    const column = Matrix.columnVector(slope)
    const full = stepAt(column, bend, 0)
    const promised = full ? full.reduce((sum, d, i) => sum + d * slope[i]!, 0) / 2 : Infinity
    if (full && promised < enough(top)) {
      const last = point.map((p, i) => p + full[i]!)
      return { point: last, value: value(last), converged: true }
    }
    for (;;) {
      const move = stepAt(column, bend, damping)
      const next = move && point.map((p, i) => p + move[i]!)
      const found = next ? value(next) : NaN
      if (next && found > top) {
        point = next
        top = found
        damping = damping < 1e-3 ? 0 : damping / 10
        break
      }
      if (damping > mostDamping) return { point, value: top, converged: false }
      damping = Math.max(damping * 10, 1e-3)
    }
  }
  return { point, value: top, converged: false }
}

/** Second derivatives from first ones, by central differences; steps are for variables of the order of 1. */
export function differences(gradient: Objective['gradient']): Objective['hessian'] {
  const h = 1e-4
  return point => {
    const rows = point.map((_, i) => {
      const at = (d: number) => gradient(point.map((p, j) => (j === i ? p + d : p)))
      const [above, below] = [at(h), at(-h)]
      return above.map((a, j) => (a - below[j]!) / (2 * h))
    })
    const found = new Matrix(rows)
    return Matrix.add(found, found.transpose()).mul(0.5)
  }
}
