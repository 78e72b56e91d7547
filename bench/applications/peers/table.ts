import Table from "cli-table3";

export function tableOf(head: string[], rows: readonly string[][]): string {
  const table = new Table({ head, style: { head: [], border: [] } });
  table.push(...rows);
  return table.toString();
}
