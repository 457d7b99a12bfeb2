import t from 'tap'
import { conformance, identityAndScopes } from './conformance/suite.js'

t.test('every resource on every surface, the first third', t => conformance(t, 0, 3))
t.test('identity and scopes', identityAndScopes)
