/** The store of many hosts passes the suite, on a single node. */
import t from 'tap';

import { conformance } from '../conformance/suite.js';
import { Etcd, withoutEtcd } from '../helpers/etcd.js';
import { subjectOf } from '../conformance/etcd-site.js';

if (withoutEtcd !== false) t.plan(0, withoutEtcd);
else await conformance(t, subjectOf(await Etcd.start(t, { nodes: 1 }), 100));
