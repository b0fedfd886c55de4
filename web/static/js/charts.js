// Charts are drawn from their table twins, so the two cannot disagree. ECharts is fetched only where there is one.
// Its tooltips must be drawn, not HTML: HTML ones carry inline styles, which the content security policy forbids.
const SERIES = ['#1d5fb4', '#0f766e', '#b45309', '#7c3aed', '#be185d', '#475569'];
const drawn = new Map();

function read(figure) {
  const [head, ...rows] = [...figure.querySelectorAll('table tr')].map((row) => [...row.cells]);
  return {
    names: head.slice(1).map((cell) => cell.textContent),
    points: rows.map((row) => row[0].textContent),
    values: head.slice(1).map((_, i) => rows.map((row) => Number(row[i + 1].dataset.value))),
  };
}

function options(figure) {
  const { names, points, values } = read(figure);
  const style = getComputedStyle(figure);
  const text = { color: style.color, fontFamily: style.fontFamily, fontSize: 12 };
  const line = { lineStyle: { color: style.getPropertyValue('--line') } };
  return {
    color: SERIES,
    animation: false,
    textStyle: text,
    tooltip: { trigger: 'axis', renderMode: 'richText' },
    legend: { show: names.length > 1, bottom: 0, textStyle: text, itemHeight: 8 },
    grid: { left: 8, right: 16, top: 16, bottom: names.length > 1 ? 32 : 8, containLabel: true },
    xAxis: { type: 'category', data: points, axisLine: line, axisTick: { show: false }, axisLabel: text },
    yAxis: { type: 'value', splitLine: line, axisLabel: text, min: figure.dataset.chart === 'bar' ? 0 : undefined, scale: true },
    series: names.map((name, i) => ({
      name, data: values[i], type: figure.dataset.chart, showSymbol: false, barMaxWidth: 24, lineStyle: { width: 2 },
    })),
  };
}

// A ranking is read from the top: bars lie, names stand in front, the figure behind.
function ranking(figure) {
  const { names, points, values } = read(figure);
  const style = getComputedStyle(figure);
  const text = { color: style.color, fontFamily: style.fontFamily, fontSize: 12 };
  const number = new Intl.NumberFormat(document.documentElement.lang);
  const sums = points.map((_, i) => values.reduce((sum, one) => sum + one[i], 0));
  const unit = figure.dataset.unit;
  return {
    color: ['#2f6fc4', '#8fb6ea'],
    animation: false,
    textStyle: text,
    legend: { show: names.length > 1, right: 0, top: 0, textStyle: text, itemHeight: 8, itemWidth: 12 },
    grid: { left: 0, right: 72, top: 28, bottom: 0, containLabel: true },
    xAxis: { type: 'value', axisLabel: { show: false }, splitLine: { show: false } },
    yAxis: {
      type: 'category', inverse: true, data: points, axisLine: { show: false }, axisTick: { show: false },
      axisLabel: { ...text, width: figure.clientWidth / 3, overflow: 'truncate' },
    },
    series: names.map((name, i) => ({
      name, data: values[i], type: 'bar', stack: 'all', barMaxWidth: 14,
      label: i === names.length - 1
        ? { show: true, position: 'right', ...text, formatter: ({ dataIndex }) => `${number.format(sums[dataIndex])} ${unit}` }
        : { show: false },
    })),
  };
}

function fetchECharts() {
  if (window.echarts) return Promise.resolve();
  return new Promise((resolve, reject) => {
    const script = document.createElement('script');
    script.src = new URL('../vendor/echarts.min.js', import.meta.url);
    script.onload = resolve;
    script.onerror = reject;
    document.head.append(script);
  });
}

async function draw(root) {
  const figures = [...root.querySelectorAll('[data-chart]')];
  for (const [element, chart] of drawn) {
    if (!element.isConnected) {
      chart.dispose();
      drawn.delete(element);
    }
  }
  if (!figures.length) return;
  await fetchECharts();
  for (const figure of figures) {
    const element = figure.querySelector('.chart-drawing');
    if (!drawn.has(element)) drawn.set(element, window.echarts.init(element, null, { locale: 'EN' }));
    drawn.get(element).setOption(figure.dataset.chart === 'ranking' ? ranking(figure) : options(figure));
  }
}

draw(document);
document.addEventListener('htmx:afterSettle', (event) => draw(event.target));
window.addEventListener('resize', () => drawn.forEach((chart) => chart.resize()));
