import t from 'tap'
import { conformance } from './conformance/suite.js'

t.test('every resource on every surface, the second third', t => conformance(t, 1, 3))
