// How far a point lies from the line through points, which may be a single one.
export function distanceToLine(x, y, points) {
  let nearest = Infinity;
  for (let at = 0; at < Math.max(points.length - 1, 1); at++) {
    const [ax, ay] = points[at], [bx, by] = points[at + 1] ?? points[at];
    const dx = bx - ax, dy = by - ay;
    const share = Math.min(Math.max(((x - ax) * dx + (y - ay) * dy) / Math.max(dx * dx + dy * dy, 1e-12), 0), 1);
    nearest = Math.min(nearest, (x - ax - share * dx) ** 2 + (y - ay - share * dy) ** 2);
  }
  return Math.sqrt(nearest);
}

// Whether a line through points, which may be a single one, has a part in one of the boxes [x, y, width, height].
export function crosses(points, boxes) {
  const inside = ([x, y]) => boxes.some(box => x >= box[0] && y >= box[1] && x < box[0] + box[2] && y < box[1] + box[3]);
  if (points.some(inside)) return true;
  return points.slice(1).some((end, at) => boxes.some(box => partIn(points[at], end, box)));
}

// Liang and Barsky: from where to where the way from start to end lies between both pairs of sides.
function partIn(start, end, box) {
  let [enter, leave] = [0, 1];
  for (const axis of [0, 1]) {
    const step = end[axis] - start[axis], before = box[axis] - start[axis], behind = before + box[axis + 2];
    if (!step && (before > 0 || behind <= 0)) return false;
    if (!step) continue;
    enter = Math.max(enter, Math.min(before / step, behind / step));
    leave = Math.min(leave, Math.max(before / step, behind / step));
  }
  return enter < leave;
}
