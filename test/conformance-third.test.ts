import t from 'tap'
import { conformance } from './conformance/suite.js'

t.test('every resource on every surface, the third third', t => conformance(t, 2, 3))
