import { CholeskyDecomposition, Matrix } from 'ml-matrix'
import { maximise, type Objective } from './newton.js'

/** Rows of numbers, one column for each coefficient but the intercept, with what became of each row. */
export interface Observations {
  /** Row by row. */
  cells: Float64Array
  columns: number
  /** 1 or 0 for each row. */
  outcomes: Uint8Array
}

/** How a model is kept from following single rows. */
export interface Regularisation {
  /** The weight of the penalty: half the sum of squared coefficients times this; 0: maximum likelihood. */
  strength: number
  /** Whether the penalty sees columns in units of their standard deviation. */
  standardise: boolean
}

/** A fitted logistic regression in the units of the columns; the intercept comes first. */
export interface Logistic {
  coefficients: number[]
  /** Standard errors; null where the information of the data does not bound a coefficient. */
  stdErrors: (number | null)[]
  logLikelihood: number
  converged: boolean
}

/** ln(1 + e^x) without overflow. */
const softplus = (x: number) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)))

/** The logistic function. */
export const probability = (logOdds: number): number => 1 / (1 + Math.exp(-logOdds))

/** The log-odds of a row. */
export function logOddsAt(coefficients: readonly number[], cells: Float64Array, row: number): number {
  const columns = coefficients.length - 1
  let sum = coefficients[0]!
  for (let c = 0; c < columns; c++) sum += coefficients[c + 1]! * cells[row * columns + c]!
  return sum
}

interface Column {
  mean: number
  deviation: number
}

function columnsOf({ cells, columns, outcomes }: Observations): Column[] {
  const n = outcomes.length
  return Array.from({ length: columns }, (_, c) => {
    let [sum, squares] = [0, 0]
    for (let row = 0; row < n; row++) sum += cells[row * columns + c]!
    for (let row = 0; row < n; row++) squares += (cells[row * columns + c]! - sum / n) ** 2
    return { mean: sum / n, deviation: Math.sqrt(squares / n) || 1 }
  })
}

/** The columns with mean 0 and deviation 1, so that the search has variables of one order. */
function scaled({ cells, columns, outcomes }: Observations, scales: readonly Column[]): Observations {
  const standard = cells.map((cell, i) => {
    const { mean, deviation } = scales[i % columns]!
    return (cell - mean) / deviation
  })
  return { cells: standard, columns, outcomes }
}

function logLikelihood({ cells, outcomes }: Observations, point: readonly number[]): number {
  let sum = 0
  for (let row = 0; row < outcomes.length; row++) {
    const logOdds = logOddsAt(point, cells, row)
    sum += outcomes[row]! * logOdds - softplus(logOdds)
  }
  return sum
}

function slope({ cells, columns, outcomes }: Observations, point: readonly number[]): number[] {
  const sums = point.map(() => 0)
  for (let row = 0; row < outcomes.length; row++) {
    const missed = outcomes[row]! - probability(logOddsAt(point, cells, row))
    sums[0]! += missed
    for (let c = 0; c < columns; c++) sums[c + 1]! += missed * cells[row * columns + c]!
  }
  return sums
}

/** What the rows tell of the coefficients: minus the second derivatives. */
function information({ cells, columns, outcomes }: Observations, point: readonly number[]): Matrix {
  const size = columns + 1
  const sums = new Float64Array(size * size)
  const row = new Float64Array(size).fill(1)
  for (let r = 0; r < outcomes.length; r++) {
    const p = probability(logOddsAt(point, cells, r))
    row.set(cells.subarray(r * columns, (r + 1) * columns), 1)
    for (let i = 0; i < size; i++)
      for (let j = 0; j <= i; j++) sums[i * size + j]! += p * (1 - p) * row[i]! * row[j]!
  }
  const found = new Matrix(size, size)
  for (let i = 0; i < size; i++)
    for (let j = 0; j < size; j++) found.set(i, j, sums[Math.max(i, j) * size + Math.min(i, j)]!)
  return found
}

function stdErrorsOf(informed: Matrix): (number | null)[] {
  const factors = new CholeskyDecomposition(informed)
  if (!factors.isPositiveDefinite()) return informed.to2DArray().map(() => null)
  const variances = factors.solve(Matrix.eye(informed.rows)).diagonal()
  return variances.map(v => (Number.isFinite(v) && v > 0 ? Math.sqrt(v) : null))
}

/** The log-odds from which on a fit is taken for one that separates the outcomes. */
const certain = 30

/** Fits a logistic regression; the intercept is not penalised. */
export function fitLogistic(observed: Observations, { strength, standardise }: Regularisation): Logistic {
  const scales = columnsOf(observed)
  const standard = scaled(observed, scales)
  const penalties = [0, ...scales.map(s => (standardise ? strength : strength / s.deviation ** 2))]
  const objective: Objective = {
    value: point =>
      logLikelihood(standard, point) - penalties.reduce((sum, w, i) => sum + (w * point[i]! ** 2) / 2, 0),
    gradient: point => slope(standard, point).map((s, i) => s - penalties[i]! * point[i]!),
    hessian: point => Matrix.add(information(standard, point), Matrix.diag(penalties)).mul(-1)
  }
  const { point, converged } = maximise(
    objective,
    penalties.map(() => 0)
  )
  const slopes = scales.map((s, c) => point[c + 1]! / s.deviation)
  const intercept = scales.reduce((sum, s, c) => sum - slopes[c]! * s.mean, point[0]!)
  const coefficients = [intercept, ...slopes]
  const informed = information(observed, coefficients)
  scales.forEach((s, c) =>
    informed.set(c + 1, c + 1, informed.get(c + 1, c + 1) + penalties[c + 1]! * s.deviation ** 2)
  )
  return {
    coefficients,
    stdErrors: stdErrorsOf(informed),
    logLikelihood: logLikelihood(standard, point),
    converged: converged && Math.max(...point.map(Math.abs)) < certain
  }
}
